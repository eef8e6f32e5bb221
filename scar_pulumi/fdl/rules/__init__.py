"""What has to hold between values: each rule looks at the whole document and reports what breaks it."""

from collections.abc import Callable

from scar_pulumi.fdl.document import Document
from scar_pulumi.fdl.rules.endpoints import callers_can_be_told, costs_are_meant, endpoints_agree, pages_can_be_opened
from scar_pulumi.fdl.rules.events import (
    buckets_have_one_region,
    no_event_loops,
    notifications_are_accepted,
    results_are_kept,
    results_of_each_input_are_kept,
)
from scar_pulumi.fdl.rules.files import files_exist
from scar_pulumi.fdl.rules.functions import (
    batch_can_run,
    environment_fits,
    names_are_unique,
    prepared_images_run,
    settings_agree,
    variables_have_names,
)
from scar_pulumi.fdl.rules.mapreduce import mapreduces_can_run
from scar_pulumi.fdl.rules.oscar import buckets_start_one_service, inputs_fit_their_service, services_fit
from scar_pulumi.fdl.rules.quotas import quotas_are_kept
from scar_pulumi.fdl.rules.storage import providers_are_complete, references_exist, storage_is_known

# In this order: storage_is_known finds the links that the next ones read.
RULES: tuple[Callable[[Document], None], ...] = (
    names_are_unique,
    settings_agree,
    prepared_images_run,
    variables_have_names,
    batch_can_run,
    mapreduces_can_run,
    services_fit,
    callers_can_be_told,
    pages_can_be_opened,
    files_exist,
    storage_is_known,
    providers_are_complete,
    buckets_have_one_region,
    notifications_are_accepted,
    no_event_loops,
    environment_fits,
    quotas_are_kept,
    endpoints_agree,
    references_exist,
    inputs_fit_their_service,
    buckets_start_one_service,
    costs_are_meant,
    results_are_kept,
    results_of_each_input_are_kept,
)
