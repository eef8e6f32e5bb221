"""Log groups of functions: whose lines they hold, and when they are made."""

import threading
import time

from tests.world.fake_cloud import FakeCloud, wait_for


def test_the_log_group_holds_the_functions_lines_and_nothing_else(cloud: FakeCloud) -> None:
    cloud.function("logged")
    cloud.trigger("logged-in", "logged")
    cloud.client("s3").put_object(Bucket="logged-in", Key="key", Body=b"")
    request = wait_for(lambda: cloud.calls("logged"))[0]["request"]
    logs = cloud.client("logs")

    def messages() -> list[str]:
        groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
        if "/aws/lambda/logged" not in groups:
            return []
        return [event["message"] for event in logs.filter_log_events(logGroupName="/aws/lambda/logged")["events"]]

    assert wait_for(messages) == [f"ran {request}"]
    time.sleep(0.1)
    assert messages() == [f"ran {request}"]
    assert all(group["logGroupName"].startswith("/aws/") for group in logs.describe_log_groups()["logGroups"])
    configuration = cloud.client("lambda").get_function_configuration(FunctionName="logged")
    assert configuration["LoggingConfig"]["LogGroup"] == "/aws/lambda/logged"


def test_a_deleted_log_group_is_not_made_again_by_late_lines(cloud: FakeCloud) -> None:
    cloud.function("late", {"SECONDS": "0.4"})
    cloud.client("logs").create_log_group(logGroupName="/aws/lambda/late")
    thread = threading.Thread(target=cloud.client("lambda").invoke, kwargs={"FunctionName": "late"})
    thread.start()
    wait_for(lambda: cloud.calls("late"))
    cloud.client("logs").delete_log_group(logGroupName="/aws/lambda/late")
    thread.join()
    cloud.function("other")
    cloud.client("lambda").invoke(FunctionName="other")
    wait_for(lambda: "/aws/lambda/other" in _groups(cloud))
    assert "/aws/lambda/late" not in _groups(cloud)


def _groups(cloud: FakeCloud) -> list[str]:
    return [group["logGroupName"] for group in cloud.client("logs").describe_log_groups()["logGroups"]]
