"""The stages of a MapReduce run: plan, scan, map, reduce and commit. Loaded only in functions of a MapReduce.

An object is split at byte borders into map tasks; a record belongs to the task in whose range its first byte lies. The
pairs that mappers print are sorted and stored once for each task, reducers merge them, and the commit publishes what
they printed after sums have shown that nothing was lost or doubled. Every hand-over is an object that is written only
if it does not exist: who was first has done the task.
"""
