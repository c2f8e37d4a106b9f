"""CloudWatch's embedded metric format: a line, held against its specification."""
import json
import re
import time

EMF_UNITS = {"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None", "Bits", "Bytes", "Bits/Second", "Bytes/Second",
             *(f"{size}{unit}{rate}" for size in ("Kilo", "Mega", "Giga", "Tera") for unit in ("bytes", "bits") for rate in ("", "/Second"))}


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2 ** 360


def check_emf(text):
    """One line of CloudWatch's embedded metric format, held against its specification; what is wrong is an AssertionError."""
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    def members(pairs):
        assert len({name for name, _ in pairs}) == len(pairs), "a name stands twice"
        return dict(pairs)

    line = json.loads(text, parse_constant=refuse, object_pairs_hook=members)
    assert isinstance(line, dict) and len(text.encode()) <= 256 * 1024
    about = line["_aws"]
    assert type(about["Timestamp"]) is int and abs(about["Timestamp"] - time.time() * 1000) < 3600 * 1000, "milliseconds since 1970"
    assert isinstance(about["CloudWatchMetrics"], list) and about["CloudWatchMetrics"]
    for directive in about["CloudWatchMetrics"]:
        assert isinstance(directive["Namespace"], str) and 1 <= len(directive["Namespace"]) <= 1024
        assert not directive["Namespace"].startswith("AWS/") and re.fullmatch(r"[A-Za-z0-9._/#:\- ]+", directive["Namespace"])
        assert isinstance(directive["Dimensions"], list) and directive["Dimensions"]
        for dimensions in directive["Dimensions"]:
            assert isinstance(dimensions, list) and len(dimensions) <= 30 and len(set(dimensions)) == len(dimensions)
            for name in dimensions:
                assert isinstance(name, str) and 1 <= len(name) <= 250 and name.isascii() and not name.startswith(":")
                assert isinstance(line[name], str) and 1 <= len(line[name]) <= 1024, f"dimension {name} has no value"
        assert isinstance(directive["Metrics"], list) and 1 <= len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert isinstance(metric["Name"], str) and 1 <= len(metric["Name"]) <= 1024
            assert metric.get("Unit", "None") in EMF_UNITS and metric.get("StorageResolution", 60) in (1, 60)
            assert not set(metric) - {"Name", "Unit", "StorageResolution"}
            value = line[metric["Name"]]
            assert is_number(value) or (isinstance(value, list) and 1 <= len(value) <= 100 and all(map(is_number, value))), metric["Name"]
    return line
