"""AWS Batch on this machine: its interface as boto3 expects it, and jobs that run as containers.

https://docs.aws.amazon.com/batch/latest/APIReference/
"""
