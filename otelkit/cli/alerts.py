"""``otelkit alerts``: which alerts there are, and quiet for some time with a reason and a name."""

from __future__ import annotations

import argparse
import getpass
import json
import re
import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from otelkit import settings
from otelkit.errors import OtelkitError
from otelkit.provision.alerts.definition import HEARTBEAT, Category
from otelkit.provision.promql import label
from otelkit.semconv.attributes import Core
from otelkit.settings.parsers import age, url

if TYPE_CHECKING:
    from otelkit.cli.alertmanager import Alertmanager

__all__ = ["add_parser"]

_EPILOG: Final = """examples:
  otelkit alerts list                                     what fires now
  otelkit alerts mute --for 2h --reason "new database"    nobody is told of anything for two hours
  otelkit alerts mute --for 30m --reason deploy --service shop --category requests
  otelkit alerts muted                                    by whom, why and until when
  otelkit alerts unmute 1b0d3a1e-…                        tell again from now on

The heartbeat (Watchdog) is never muted: it says that alerting itself works. What still fires when the time is over is
told then. Windows that come again every week belong into Alertmanager's configuration: docs/alerts.md.
"""
_SERVICE: Final = label(Core.SERVICE_NAME)
_SPECIAL: Final = re.compile(r"([\\.+*?()|\[\]{}^$])")
_ENDED: Final = "expired"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "alerts",
        help="which alerts fire; be quiet for some time, with a reason",
        description="Ask Alertmanager which alerts fire, and mute some of them for some time.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=lambda args: args.act(args))
    acts = parser.add_subparsers(dest="act_name", metavar="COMMAND", required=True)
    listed = acts.add_parser("list", help="alerts that fire now, the worst first")
    listed.set_defaults(act=_list)
    _add_mute(acts.add_parser("mute", help="tell nobody of some alerts, or of all, for some time"))
    muted = acts.add_parser("muted", help="what is muted now, by whom and why")
    muted.set_defaults(act=_muted)
    unmuted = acts.add_parser("unmute", help="end a mute before its time")
    unmuted.add_argument("silence", metavar="ID", help="as `otelkit alerts muted` shows it")
    unmuted.set_defaults(act=_unmute)
    for act in (listed, muted):
        act.add_argument("--json", action="store_true", help="JSON lines instead, as Alertmanager has them")
    for act in acts.choices.values():
        act.add_argument(
            "--alertmanager", type=_address, metavar="URL", help="its address (default: OTELKIT_ALERTMANAGER_URL)"
        )


def _add_mute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--for", dest="duration", type=_duration, required=True, metavar="TIME", help="30m, 2h, 1d …")
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever wonders")
    parser.add_argument("--service", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument(
        "--category", action="append", default=[], choices=[entry.value for entry in Category], metavar="CATEGORY",
        help=f"only {', '.join(entry.value for entry in Category)}; may be repeated",
    )  # fmt: skip
    parser.add_argument("--alert", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--author", metavar="WHO", help="who mutes (default: your user name on this machine)")
    parser.set_defaults(act=_mute)


def _address(text: str) -> str:
    try:
        return url(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _duration(text: str) -> timedelta:
    try:
        seconds = age(text)
    except ValueError:
        seconds = None
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 30m, 2h, 1d or 2w")
    return timedelta(seconds=seconds)


def _opened(args: argparse.Namespace) -> Alertmanager:
    from otelkit.cli.alertmanager import Alertmanager  # brings an HTTP client, which other commands need not load

    known = settings.load()
    return Alertmanager(args.alertmanager or known.alertmanager_url, known.alertmanager_token)


# --- what there is -------------------------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    alerts = [alert for alert in _opened(args).alerts() if alert["labels"].get("alertname") != HEARTBEAT]
    worst = ("critical", "warning", "info")
    alerts.sort(key=lambda alert: (_rank(worst, alert["labels"].get("severity")), alert["startsAt"]))
    for alert in alerts:
        print(json.dumps(alert) if args.json else _line(alert))
    if not args.json and not alerts:
        print("no alert fires")
    return 0


def _rank(order: tuple[str, ...], word: str | None) -> int:
    return order.index(word) if word in order else len(order)


def _line(alert: Mapping[str, Any]) -> str:
    labels, state = alert["labels"], alert["status"]
    held = "muted" if state.get("silencedBy") else "explained by another" if state.get("inhibitedBy") else ""
    words = alert.get("annotations", {}).get("summary") or labels.get("alertname", "?")
    since = f"since {_moment(alert['startsAt'])}"
    return f"{labels.get('severity', '?'):<9} {since}  {labels.get('alertname', '?')}: {words}{held and f' ({held})'}"


def _muted(args: argparse.Namespace) -> int:
    silences = [silence for silence in _opened(args).silences() if silence["status"]["state"] != _ENDED]
    silences.sort(key=lambda silence: str(silence["endsAt"]))
    for silence in silences:
        print(json.dumps(silence) if args.json else _silence(silence))
    if not args.json and not silences:
        print("nothing is muted")
    return 0


def _silence(silence: Mapping[str, Any]) -> str:
    about = ", ".join(_written(matcher) for matcher in silence["matchers"])
    until = f"until {_moment(silence['endsAt'])}"
    return f"{silence['id']}  {until}  by {silence['createdBy']}: {silence['comment']}\n    {about}"


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")


# --- quiet ---------------------------------------------------------------------------------------------------------


def _mute(args: argparse.Namespace) -> int:
    alertmanager = _opened(args)
    wanted = _matchers(args)
    begins = datetime.now(UTC)
    ends = begins + args.duration
    made = alertmanager.mute(wanted, begins, ends, author=args.author or _user(), reason=_reason(args.reason))
    held = len(alertmanager.alerts(*map(_written, wanted)))
    print(f"muted until {_moment(ends.isoformat())}: {', '.join(map(_written, wanted))}")
    print(f"of what fires now: {held}; end it: otelkit alerts unmute {made}")
    return 0


def _reason(text: str) -> str:
    if not text.strip():
        raise OtelkitError("--reason is empty: whoever wonders why it is quiet should find out")
    return text.strip()


def _matchers(args: argparse.Namespace) -> list[dict[str, Any]]:
    """What the options ask for; always with a name that is not the heartbeat's."""
    named = _one_of("alertname", args.alert) if args.alert else [_matcher("alertname", ".+", regex=True)]
    never = [_matcher("alertname", HEARTBEAT, equal=False)]
    return [*named, *never, *_one_of(_SERVICE, args.service), *_one_of("category", args.category)]


def _one_of(name: str, values: Iterable[str]) -> list[dict[str, Any]]:
    found = list(dict.fromkeys(values))
    if len(found) > 1:
        return [_matcher(name, "|".join(_SPECIAL.sub(r"\\\1", value) for value in found), regex=True)]
    return [_matcher(name, value) for value in found]


def _matcher(name: str, value: str, *, regex: bool = False, equal: bool = True) -> dict[str, Any]:
    return {"name": name, "value": value, "isRegex": regex, "isEqual": equal}


def _written(matcher: Mapping[str, Any]) -> str:
    """Return a silence's condition as Alertmanager writes it: ``severity!="info"``."""
    equal, regex = matcher.get("isEqual", True), matcher["isRegex"]
    sign = ("=~" if equal else "!~") if regex else ("=" if equal else "!=")
    return f"{matcher['name']}{sign}{json.dumps(matcher['value'])}"


def _user() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a number without a name, as in containers
        raise OtelkitError("your user has no name on this machine: say who mutes, with --author") from None


def _unmute(args: argparse.Namespace) -> int:
    _opened(args).unmute(args.silence)
    print(f"{args.silence} has ended; what fires is told again")
    return 0
