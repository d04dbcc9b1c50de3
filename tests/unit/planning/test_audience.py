# Licensed under the Apache License, Version 2.0; see LICENSE.
"""Audience files: what is read, and what is said about those that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mkt.exceptions import ValidationError
from airflow_provider_mkt.planning.audience import read_audience

PERSON = "ada@example.com"


def file(folder: Path, text: str | bytes, name: str = "buyers.csv") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_csv(tmp_path: Path) -> None:
    text = (
        "email,first_name,city,budget,optin_ip\r\n"
        'ada@example.com, Ada ,"Cork, City",,10.0.0.1\r\n'
        "\r\n"
        'bo@example.com,,"two\r\nlines",500,\r\n'
    )
    assert list(read_audience(file(tmp_path, text))) == [
        (
            "buyers.csv, line 2",
            {"email": PERSON, "first_name": "Ada", "optin_ip": "10.0.0.1", "custom_fields": {"city": "Cork, City"}},
        ),
        ("buyers.csv, line 4", {"email": "bo@example.com", "custom_fields": {"city": "two\r\nlines", "budget": "500"}}),
    ]


def first_problem(path: str) -> str:
    """Return what is wrong with the file, or with the first bad line of it."""
    try:
        return next(str(each) for _, each in read_audience(path) if isinstance(each, ValidationError))
    except ValidationError as error:
        return str(error)


@pytest.mark.parametrize("name", ["buyers.jsonl", "buyers.ndjson"])
def test_json_lines(name: str, tmp_path: Path) -> None:
    people = [{"email": PERSON, "segment_ids": ["seg_buyers"]}, {"id": "sub_1"}]
    text = "\n\n".join(map(json.dumps, people)) + "\n"
    found = list(read_audience(file(tmp_path, text, name)))
    assert found == [(f"{name}, line 1", people[0]), (f"{name}, line 3", people[1])]


@pytest.mark.parametrize(
    "text", ["\ufeffemail\nada@example.com\n", "email\nada@example.com", "id,email\n,ada@example.com\n"]
)
def test_csv_of_all_sorts(text: str, tmp_path: Path) -> None:
    assert [person for _, person in read_audience(file(tmp_path, text))] == [{"email": PERSON}]


@pytest.mark.parametrize("text", ["email\n", "email", "id\n\n\n"])
def test_nobody(text: str, tmp_path: Path) -> None:
    assert list(read_audience(file(tmp_path, text))) == []


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_paths(scheme: str, tmp_path: Path) -> None:
    assert len(list(read_audience(scheme + file(tmp_path, "email\nada@example.com\n")))) == 1


def test_large_files_are_not_held_in_memory(tmp_path: Path) -> None:
    path = file(tmp_path, "email\n" + "".join(f"p{number}@example.com\n" for number in range(5_000)) + "a,b\n")
    rows = read_audience(path)
    assert [next(rows)[1]["email"] for _ in range(5_000)][-1] == "p4999@example.com"
    place, problem = next(rows)
    assert place == "buyers.csv, line 5002"
    assert isinstance(problem, ValidationError)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("buyers.csv", "", "buyers.csv, line 1: the file is empty; name"),
        ("buyers.csv", "\n\n", "buyers.csv, line 1: the file is empty; name"),
        ("buyers.csv", f"{PERSON}\n", "buyers.csv, line 1: no column is called 'email'; name the columns in"),
        ("buyers.csv", "email,\na,b\n", "buyers.csv, line 2: cell 2 is filled, but its column has no name"),
        ("buyers.csv", "email,city,city\na,b,c\n", "buyers.csv, line 1: the column 'city' comes twice; give"),
        ("buyers.csv", f"email,city\n{PERSON},a,b\n", "buyers.csv, line 2: it has more cells than the header"),
        ("buyers.csv", f"email\n{PERSON}\n" + "x" * 200_000 + "\n", "buyers.csv, line 3: it is not CSV"),
        ("buyers.csv", f'email,city\n{PERSON},"Cork\nbo@example.com,Cork\n', "buyers.csv, line 2: it is not CSV"),
        ("buyers.csv", f'email,city\n{PERSON},"Cork" City\n', "buyers.csv, line 2: it is not CSV"),
        ("buyers.csv", "email," + "x" * 200_000, "buyers.csv, line 1: it is not CSV"),
        ("buyers.jsonl", f'{{"email": "{PERSON}"}}\n{{"email": "{PERSON}"\n', "buyers.jsonl, line 2: it is not a JSON"),
        ("buyers.jsonl", f'["{PERSON}"]\n', "buyers.jsonl, line 1: it is not a JSON object"),
        ("buyers.jsonl", f'\n"{PERSON}"\n', "buyers.jsonl, line 2: it is not a JSON object"),
        ("buyers.jsonl", "NaN\n", "buyers.jsonl, line 1: it is not a JSON object"),
        ("buyers.jsonl", "[" * 100_000 + "\n", "buyers.jsonl, line 1: it is not a JSON object"),
        ("buyers.jsonl", f'[{{"email": "{PERSON}"}},\n', "buyers.jsonl, line 1: it is not a JSON object"),
        ("buyers.csv", "email\nÄ@example.com\n".encode("latin-1"), "buyers.csv, line 2: the text is not UTF-8 but"),
        ("buyers.csv", "email\nada@example.com\n".encode("utf-16"), "buyers.csv: this is UTF-16 text"),
    ],
)
def test_unreadable_files(name: str, text: str | bytes, problem: str, tmp_path: Path) -> None:
    told = first_problem(file(tmp_path, text, name))
    assert problem in told
    assert name in told
    assert "@" not in told


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"none.csv: there is no such file"):
        list(read_audience(str(tmp_path / "none.csv")))
    with pytest.raises(ValidationError, match="is a folder, not a regular file"):
        list(read_audience(str(tmp_path)))


@pytest.mark.parametrize("path", ["foo://bucket/a.csv", 5.5, ["a.csv"], "", "s3://key:planted@bucket/a.csv"])
def test_paths_that_are_none(path: Any) -> None:
    with pytest.raises(ValidationError, match="path") as caught:
        list(read_audience(path))
    assert "planted" not in str(caught.value)
