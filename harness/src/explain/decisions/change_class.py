"""A template: slots. What breaks: attributes that are not listed, vars(o), o.__dict__, weakrefs without "__weakref__", class
attributes as defaults of the same name, bases without slots (they bring the dict back)."""
TARGET = "module.Profile"  # set
ATTRIBUTES = ("name", "mail", "age")  # set


class WithSlots:
    __slots__ = ATTRIBUTES                              # and "__weakref__" if something refers to instances weakly

    def __init__(self, *values):
        for name, value in zip(ATTRIBUTES, values):
            setattr(self, name, value)


# A dataclass of 3.10 and newer:   @dataclass(slots=True)
if __name__ == "__main__":
    instance = WithSlots(*ATTRIBUTES)
    assert not hasattr(instance, "__dict__")
    try:
        instance.not_declared = 1
        raise SystemExit("an attribute that is not declared was taken")
    except AttributeError:
        print("%s with slots: %s" % (TARGET, ", ".join(ATTRIBUTES)))
