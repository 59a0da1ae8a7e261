# Schemathesis sends the same few Idempotency-Keys with everything, which is a refusal after the first time. Three of
# four requests that carry a key get one of their own, so that most of them reach the rules behind it.
import itertools

import schemathesis

numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(numbers)
    for name in [name for name in case.headers or {} if name.lower() == "idempotency-key"]:
        key = case.headers[name]
        if number % 4 and isinstance(key, str) and 0 < len(key) <= 200 and key.isascii() and key.isprintable():
            case.headers[name] = f"{key}-{number}"
