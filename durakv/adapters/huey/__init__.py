"""huey on durakv: ``DurakvHuey``, and the ``DurakvStorage`` in it.

    from durakv.adapters.huey import DurakvHuey

    huey = DurakvHuey("my-app", path="tasks", fsync="always")

The consumer runs as threads of the process that has the directory: ``with huey.consuming(workers=4): ...``.
"""

from durakv.adapters._extras import not_installed

try:
    from durakv.adapters.huey.instance import DurakvHuey
except ImportError as error:
    raise not_installed("huey", error) from error
from durakv.adapters.huey.storage import DurakvStorage

__all__ = ["DurakvHuey", "DurakvStorage"]
