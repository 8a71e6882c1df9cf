"""`saccade broker`: joins the publishers of several processes."""

from __future__ import annotations

import sys
from typing import Annotated, Optional

import typer

from saccade.camera.errors import SaccadeError, printable
from saccade.stream.options import Allow, Insecure, KeyFile

DEFAULT_BROKER = "zmq://127.0.0.1:5560"


def add_broker_command(app: typer.Typer) -> None:
    """Adds it to the command line."""
    app.command()(broker)


def broker(
    publishers: Annotated[
        list[str], typer.Argument(metavar="URI...", help="Where publishers are bound.")
    ],
    out: Annotated[
        str, typer.Option(metavar="URI", help="Where subscribers come to.")
    ] = DEFAULT_BROKER,
    key: KeyFile = None,
    allow: Allow = None,
    insecure_no_auth: Insecure = False,
    server: Annotated[
        Optional[list[str]],  # noqa: UP007
        typer.Option(
            metavar="KEY|FILE|-",
            help="The publishers' public key, '-' for one without; given once for all of them, or "
            "once for each. With --key.",
        ),
    ] = None,
) -> None:
    """Join publishers on one address: topics say which camera is which."""
    from saccade.stream.broker import Broker
    from saccade.stream.keys import ClientKeys, ServerKeys
    from saccade.stream.listen import sigterm_like_ctrl_c

    servers = _one_each(server or ["-"], len(publishers))
    if key is None and (allow or set(servers) != {"-"}):
        raise SaccadeError("keys: no --key FILE, our own; --allow and --server need it")
    sources = [
        (uri, None if key is None or there == "-" else ClientKeys.read(key, there))
        for uri, there in zip(publishers, servers, strict=True)
    ]
    keys = ServerKeys.read(key, allow) if key and allow else None
    with sigterm_like_ctrl_c(), Broker(sources, out, keys, insecure_no_auth) as opened:
        typer.echo(f"{', '.join(publishers)} to {opened.address}; Ctrl-C ends it")
        sys.stdout.flush()
        try:
            while True:
                for warning in opened.turn():
                    typer.echo(f"warning: {printable(warning)}", err=True)
        except KeyboardInterrupt:
            pass
        typer.echo(
            f"{len(opened.streams)} streams, {opened.passed} messages passed on, "
            f"{opened.doubled} of doubled streams, {opened.malformed} malformed"
        )


def _one_each(servers: list[str], count: int) -> list[str]:
    if len(servers) == 1:
        return servers * count
    if len(servers) != count:
        raise SaccadeError(
            f"server: {len(servers)} keys for {count} publishers; give one, or one for each"
        )
    return servers
