"""Prints what a peer reports when it is done, as one line of JSON."""

import json
import resource


def report(rows):
    used = resource.getrusage(resource.RUSAGE_SELF)
    helpers = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime + helpers.ru_utime + helpers.ru_stime
    print(json.dumps({"rows": rows, "cpuMs": cpu * 1000, "peakMb": max(used.ru_maxrss, helpers.ru_maxrss) / 1024}))
