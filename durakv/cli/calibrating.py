"""``durakv fuzz calibrate``: the model of a disk, held against the file systems of this machine."""

from __future__ import annotations

from pathlib import Path

import click

from durakv.cli import exits
from durakv.cli.output import print_lines, tell

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("filesystems", nargs=-1, metavar="[FILESYSTEM]...")
@click.option("--seconds", default=480.0, show_default=True, type=click.FloatRange(1), help="For all of them together.")
@click.option("--images", default=300, show_default=True, type=click.IntRange(1), help="Cuts mounted, for each litmus.")
@click.option("--litmus", "names", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option("--write", "written", type=_FILE, metavar="FILE", help="Write the page with all tables to this file.")
@click.pass_context
def calibrate(
    ctx: click.Context,
    filesystems: tuple[str, ...],
    seconds: float,
    images: int,
    names: tuple[str, ...],
    written: Path | None,
) -> None:
    """Run tiny workloads on real file systems, cut the power, and compare with what the model allows.

    FILESYSTEM is ext4, xfs or btrfs; all of them if none is given.  It needs root, /dev/fuse, loop devices and the mkfs
    of each.  The exit code is 1 if something was seen that the model does not allow.
    """
    from durakv_fuzz.block.real import REAL, MakeError
    from durakv_fuzz.calibration.calibrate import run_calibration
    from durakv_fuzz.calibration.published import render_markdown, summary
    from durakv_fuzz.calibration.suite import SUITE
    from durakv_fuzz.recorder.process import ServerEnded

    unknown = [name for name in names if name not in SUITE]
    if unknown:
        raise click.UsageError(f"there is no litmus {unknown[0]!r}; there are: {'; '.join(SUITE)}")
    try:
        calibration = run_calibration(
            filesystems or tuple(REAL),
            budget_seconds=seconds,
            images=images,
            litmuses=[SUITE[name] for name in names or SUITE],
            progress=tell,
        )
    except ValueError as error:
        raise exits.Failure(str(error), exits.USAGE) from error
    except (MakeError, ServerEnded) as error:
        raise exits.Failure(str(error), exits.FAILED) from error
    if not calibration.grounds:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in calibration.skipped.items())
        raise exits.Failure(f"no file system can be observed here: {reasons}", exits.FAILED)
    print_lines(summary(calibration))
    if written is not None:
        written.write_text(render_markdown(calibration), encoding="utf-8")
        tell(f"the page is in {written}")
    ctx.exit(exits.TOLD if calibration.unsound() else exits.OK)
