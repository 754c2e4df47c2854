"""Closing a crawl whose job fails."""

from __future__ import annotations

import logging
from typing import Any

from scrapy import Spider
from scrapy.core.engine import ExecutionEngine
from scrapy.utils.defer import deferred_from_coro

logger = logging.getLogger("durakv.adapters.scrapy")


def close_soon(engine: ExecutionEngine, spider: Spider, reason: str) -> None:
    """Have the crawl closed in a later turn.

    Where the reactor is not asyncio's, a close that waits for nothing runs to its end at once, and the engine is in the
    middle of the call that has failed.
    """

    def close() -> None:
        if engine.spider is None:  # somebody else was quicker
            return
        begin: Any = getattr(engine, "close_spider_async", None)  # Scrapy 2.14 and later
        closing = engine.close_spider(spider, reason) if begin is None else deferred_from_coro(begin(reason=reason))
        closing.addErrback(lambda failure: logger.error("closing: %s", failure, extra={"spider": spider}))

    try:
        from scrapy.utils.asyncio import call_later  # Scrapy 2.14 and later
    except ImportError:
        from twisted.internet import reactor  # not before: the import installs one

        later: Any = reactor
        later.callLater(0, close)
    else:
        call_later(0, close)
