#!/usr/bin/env python3
"""A registry that misbehaves on demand: for what a real one will not do when asked.

    fault_registry.py PROFILE JOURNAL [--port N] [--certificate PEM --key PEM]

PROFILE is a JSON file, read anew whenever it changes; the registry then begins anew:

    {"repositories": {"team/app": {"1.0": {}, "1.1": {"manifest": "nul"}}},
     "lists": {"page_size": 100}, "auth": {"scheme": "bearer"},
     "faults": [{"method": "GET", "path": "/v2/team/app/manifests/.*", "status": 429,
                 "headers": {"Retry-After": "7"}, "body": "slow down", "times": 2}]}

faulty/content.py says what a tag can be, faulty/profile.py lists the switches of the other sections.
A fault answers instead of the registry when method (default: any) and path (a regular expression,
the whole path with its query) match: with status, headers and body; with headers only, which are
added to the answer; or with "action", which happens to the answer on its way: close, reset,
truncate (half of the body), longer (more than was said), hang (no answer), endless (a body without
an end), gzip, chunked, slow (a byte a second). "times" ends it after so many answers, "after" lets
so many requests pass first.

A second listener is where realms and redirects may lead: token server, object store. Its /truth
gives the tags and digests of now.
JOURNAL receives a JSON line a request: time, listener (registry or other), peer, tls, method, path,
headers, status, and the body of a POST. Prints the ports of both listeners.
"""
import argparse
import threading

from faulty import server
from faulty.journal import Journal


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("profile")
    arguments.add_argument("journal")
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--certificate")
    arguments.add_argument("--key")
    options = arguments.parse_args()
    _, main_listener, other = server.start(
        Journal(options.journal), options.profile, options.port, options.certificate, options.key)
    print(main_listener.server_address[1], other.server_address[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
