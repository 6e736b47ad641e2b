"""`python -m tools.promela FILE --scene NAME SPEC`: the verified model for SPIN, which gives a second opinion."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.cli.search_request import SearchRequest, search_options
from tools.promela.model import to_lasting_promela, to_promela, uncovered


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@search_options
def command(request: SearchRequest, file: Path) -> int:
    """Write the model of one SPEC in one --scene to FILE, and beside it the one about leads_to; no search."""
    if len(request.specs) != 1 or len(request.options.scenes) != 1:
        example = f"python -m tools.promela {file} --scene turns server_vad"
        raise click.UsageError(f"the model is of one spec in one scene; name both, e.g. {example}")
    spec = request.specs[0]
    around = request.around(spec)
    world = around.world
    if left_out := uncovered(spec, world, around.properties):
        raise click.ClickException(f"the model for SPIN has no words of a spec's own: {'; '.join(left_out)}")
    settings = request.options.limits(spec, world)[0].settings(world)
    given = (spec, world, around.properties, settings)
    lasting = file.with_name(f"{file.stem}.leads_to{file.suffix}")
    file.write_text(to_promela(*given), encoding="utf-8")
    lasting.write_text(to_lasting_promela(*given)[0], encoding="utf-8")
    click.echo(f"wrote {file} and {lasting}; their first lines say how SPIN searches them", err=True)
    return 0


if __name__ == "__main__":
    command()
