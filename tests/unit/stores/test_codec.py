"""Values become JSON and come back, whatever version wrote them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Address, Incident
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import AlertView, Delivery
from stewardmon.errors import StoreError
from stewardmon.stores.codec import decode, decode_record, encode, encode_record
from stewardmon.stores.rows import micros, moment
from tests.contracts.store_values import T0, alert, at, delivery, incident

texts = st.text(st.characters(exclude_categories=[]), max_size=8)
label_sets = st.dictionaries(texts, texts, max_size=3).map(Labels)


def test_an_incident_comes_back_with_its_policy() -> None:
    full = incident(
        snoozed_until=at(hours=1),
        acknowledged_at=T0,
        acknowledged_by="dev-a",
        told=(Address("dev-a", "pager", "+49"), Address("lead", "mail", "l@x")),
        symptoms=("app is slow",),
    )
    assert decode(Incident, encode(full)) == full
    assert decode(Incident, encode(full)).policy.levels[1].after == timedelta(minutes=30)


def test_a_delivery_comes_back_with_its_message() -> None:
    view = AlertView(
        status="firing",
        labels=Labels({"a": "b"}),
        annotations=Labels(),
        starts_at=T0,
        ends_at=None,
        generator_url="",
        fingerprint="f",
    )
    row = delivery(lease_until=at(seconds=1), receipt="ok")
    row = replace(row, notification=replace(row.notification, alerts=(view,), evidence=("a", "b")))
    assert decode(Delivery, encode(row)) == row


@given(value=st.floats(), labels=label_sets, annotations=label_sets)
def test_any_alert_comes_back(value: float, labels: Labels, annotations: Labels) -> None:
    one = alert(value=value, labels=labels, annotations=annotations)
    back = decode(Alert, encode(one))
    assert replace(back, value=0.0) == replace(one, value=0.0)
    assert back.value == value or (math.isnan(back.value) and math.isnan(value))


def test_a_field_that_is_not_known_is_ignored_and_a_missing_one_takes_its_default() -> None:
    body = orjson.loads(encode(alert(generator_url="http://x")))
    del body["generator_url"]
    body["colour"] = {"of": ["tomorrow"]}
    assert decode(Alert, orjson.dumps(body).decode()) == alert()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"rule": 3, "labels": 7}', "null", '"x"'])
def test_what_is_no_alert_is_an_error_with_advice(text: str) -> None:
    with pytest.raises(StoreError, match=r"an? Alert|Alert that cannot be read") as caught:
        decode(Alert, text)
    assert "restore the state" in str(caught.value)


def test_times_of_other_zones_are_the_same_instants() -> None:
    tokyo = T0.astimezone(timezone(timedelta(hours=9)))
    assert decode(Alert, encode(alert(active_at=tokyo))).active_at == T0


def test_records_are_plain_values() -> None:
    body = {"n": 1, "x": math.nan, "y": -math.inf, "at": T0, "many": ("a", {"b": math.inf})}
    assert decode_record(encode_record(body)) == {
        "n": 1,
        "x": "nan",
        "y": "-inf",
        "at": T0.isoformat(),
        "many": ["a", {"b": "inf"}],
    }


def test_a_record_of_something_else_is_refused() -> None:
    with pytest.raises(StoreError, match="a complex cannot be kept"):
        encode_record({"z": 1j})


@dataclass(frozen=True, slots=True)
class Single:
    """A dataclass of one field: where attrgetter answers without a tuple."""

    only: frozenset[str] = field(default_factory=frozenset)


def test_one_field_is_enough() -> None:
    assert decode(Single, encode(Single(frozenset({"a"})))) == Single(frozenset({"a"}))


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_are_kept_to_the_microsecond(instant: datetime) -> None:
    assert moment(micros(instant)) == instant
