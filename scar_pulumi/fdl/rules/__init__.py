"""What has to hold between values: each rule looks at the whole document and reports what breaks it."""

from collections.abc import Callable

from scar_pulumi.fdl._document import Document
from scar_pulumi.fdl.rules.batch import batch_can_run
from scar_pulumi.fdl.rules.costs import costs_are_meant
from scar_pulumi.fdl.rules.endpoints import endpoints_agree
from scar_pulumi.fdl.rules.environment import environment_fits
from scar_pulumi.fdl.rules.files import files_exist
from scar_pulumi.fdl.rules.functions import names_are_unique, settings_agree
from scar_pulumi.fdl.rules.loops import no_event_loops, results_are_kept
from scar_pulumi.fdl.rules.oscar import buckets_start_one_service, services_fit
from scar_pulumi.fdl.rules.pages import pages_can_be_opened
from scar_pulumi.fdl.rules.providers import providers_are_complete
from scar_pulumi.fdl.rules.references import references_exist
from scar_pulumi.fdl.rules.storage import storage_is_known
from scar_pulumi.fdl.rules.triggers import notifications_are_accepted

# In this order: storage_is_known finds the links that the next ones read.
RULES: tuple[Callable[[Document], None], ...] = (
    names_are_unique,
    settings_agree,
    batch_can_run,
    services_fit,
    pages_can_be_opened,
    files_exist,
    storage_is_known,
    providers_are_complete,
    notifications_are_accepted,
    no_event_loops,
    environment_fits,
    endpoints_agree,
    references_exist,
    buckets_start_one_service,
    costs_are_meant,
    results_are_kept,
)
