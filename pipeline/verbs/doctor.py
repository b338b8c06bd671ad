def doctor(*, as_json: bool = False) -> int:
    return 0
