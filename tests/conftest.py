"""What holds for every test."""

import os

# With it, gRPC starts its threads anew after each fork, in the thread that forked. Where that is a container's, they
# keep its private mounts for as long as this process lives. It counts when gRPC is loaded, which the Pulumi SDK does.
# https://github.com/grpc/grpc/blob/master/doc/fork_support.md
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
