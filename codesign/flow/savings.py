"""What a flow wants to save of its trainings, from names to things."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from codesign.accuracy.evaluator import Evaluator
from codesign.accuracy.predictor import Predictor
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.thrift import Guide, Thrift
from codesign.flow.settings import Settings
from codesign.load import Tree, member
from codesign.search.trial import Objective
from codesign.space import Space


def proxy_of(settings: Settings) -> Proxy | None:
    """Return the zero-cost proxy of a flow, if it names one.

    Raises:
        InputError: there is no such proxy.
    """
    name = settings.thrift.proxy
    return member("accuracy.proxies", Proxy, name, "training.proxy")() if name else None


def guide_of(settings: Settings, space: Space, objectives: tuple[Objective, ...]) -> Guide | None:
    """Return what lets later trainings know of earlier ones, where something is to be saved.

    Raises:
        InputError: there is no such predictor.
    """
    thrift, predictor = settings.thrift, None
    if not thrift.saves:
        return None
    if thrift.predictor:
        cls = member("accuracy.predictors", Predictor, thrift.predictor, "training.predictor")
        predictor = cls()
    evaluator: Evaluator = settings.build_member("training")
    epochs = evaluator.full_epochs()
    return Guide(thrift, space, objectives, settings.wish, settings.seed, epochs, predictor)


def decisive(settings: Settings, sections: Iterable[str]) -> Tree:
    """Return the data of some sections but for savings that nobody asked for.

    So a journal of before there were any is still that of the same search.
    """
    usual = {field.name: field.default for field in fields(Thrift)}
    training = settings.data["training"]
    asked = {k: v for k, v in training.items() if k not in usual or v != usual[k]}
    return {**{key: settings.data[key] for key in sections}, "training": asked}
