"""Another process with a two-tier cache: ``cache_listener.py FAR_URL ANNOUNCER_URL``; does what its stdin says."""

import json
import sys

from workbench.caches import Announcer, Cache, Redis, TwoTier


def main(far, url):
    announcer = Announcer(url)
    cache = Cache(TwoTier(Redis(far), announcer, near_s=600))
    assert announcer.wait()
    for line in sys.stdin:
        order = json.loads(line)
        answer = getattr(cache, order["do"])(*order["with"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
