"""What the tokens of a call cost: a table of prices by model, ours or somebody's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import attrs
import yaml

from fsm.audit.report.report import Timeline, Usage
from fsm.errors import LocalError

_BUNDLED: Final = Path(__file__).parent / "prices.yaml"
_KINDS: Final = frozenset({"text in", "audio in", "text out", "audio out", "cached text in", "cached audio in"})
_MILLION: Final = 1e6


class PricesError(LocalError):
    """A file of prices that cannot be used: which, where, and what belongs there."""


@attrs.frozen
class Prices:
    """US dollars for a million tokens, by the beginning of a model's name."""

    as_of: str
    models: Mapping[str, Mapping[str, float]]

    def cost(self, model: str, usage: Usage) -> float | None:
        """What was used costs so much; None if nobody knows the model."""
        name = max((name for name in self.models if model.startswith(name)), key=len, default=None)
        if name is None:
            return None
        prices = self.models[name]
        used = [(prices.get(kind, 0.0), count) for kind, count in usage.tokens.items()]
        used += [(prices.get(f"cached {kind}", prices.get(kind, 0.0)), count) for kind, count in usage.cached.items()]
        return sum(price * count for price, count in used) / _MILLION


@cache
def bundled() -> Prices:
    return load(_BUNDLED)


def load(path: Path) -> Prices:
    """A file of prices. Raises PricesError, OSError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PricesError(f"{path}: is not YAML: {error}") from None
    models = found.get("models") if isinstance(found, dict) else None
    if not isinstance(models, dict):
        raise PricesError(f"{path}: `models:` is missing: a price for each kind of token, by the name of a model")
    for model, prices in models.items():
        _check(path, str(model), prices)
    return Prices(str(found.get("as_of", "")), {str(model): prices for model, prices in models.items()})


def _check(path: Path, model: str, prices: object) -> None:
    if not isinstance(prices, dict):
        raise PricesError(f"{path}: {model}: is not a mapping of kinds of tokens to prices")
    for kind, price in prices.items():
        if kind not in _KINDS:
            raise PricesError(f"{path}: {model}: '{kind}' is not one of {', '.join(sorted(_KINDS))}")
        if not isinstance(price, int | float) or isinstance(price, bool) or not 0 <= price < _MILLION:
            raise PricesError(f"{path}: {model}: {kind}: {price!r} is not a price in dollars")


def said(timelines: Sequence[Timeline], prices: Prices) -> str:
    """The tokens of calls and what they cost, in one sentence; "" if no log tells."""
    parts = []
    for model, usage in _by_model(timelines).items():
        cost = prices.cost(model, usage)
        kinds = ", ".join(f"{count:,.0f} {kind}" for kind, count in _shown(usage))
        money = f", about ${cost:.4f}" if cost is not None else ", of a model whose price is not known"
        parts.append(f"{usage.total:,.0f} tokens of {model or 'a model'} ({kinds}){money}")
    dated = f" (prices of {prices.as_of})" if parts and prices.as_of else ""
    return "; ".join(parts) + dated if parts else ""


def _shown(usage: Usage) -> list[tuple[str, float]]:
    found = [(kind, count) for kind, count in usage.tokens.items() if count]
    return found + [(f"{kind} from the cache", count) for kind, count in usage.cached.items() if count]


def _by_model(timelines: Sequence[Timeline]) -> dict[str, Usage]:
    made: dict[str, Usage] = {}
    for timeline in timelines:
        for model, usage in timeline.usage.items():
            total = made.setdefault(model, Usage())
            total.total += usage.total
            for mine, theirs in ((total.tokens, usage.tokens), (total.cached, usage.cached)):
                for kind, count in theirs.items():
                    mine[kind] = mine.get(kind, 0.0) + count
    return made
