"""What every error of a command has in common."""


def assert_refused(found, status, *words):
    """found: exit status, standard output and standard error of a command; words: what its message is about."""
    code, out, err = found
    assert (code, out) == (status, ""), err
    message, hint = err.splitlines()[-2:]
    assert message.startswith("rnnlm: error: ")
    assert hint.startswith("  hint: ")
    assert [word for word in words if word not in err] == [], err
