intern_ = getattr(sys, "intern", None) or intern
character = chr if sys.version_info >= (3,) else unichr


def same(make):
    """Whether two objects that are made at run time, one after the other, are one."""
    one = make()
    return one is make()


def same_constant(source):
    """Whether a constant that is compiled twice is one object."""
    one, other = (eval(compile(source, "constant", "eval")) for _ in range(2))
    return one is other


def identifier():
    return "".join(["identi", "fier"])


def drawn(setting):
    random = Random(setting["seed"])
    numbers = []
    for _ in range(setting["integers"]):
        small = random.below(100) < setting["small_in_100"]
        numbers.append(random.below(262) - 5 if small else random.below(1000000) + 257)
    names = ["identifier_%d" % random.below(random.below(setting["vocabulary"]) + 1)
             for _ in range(setting["integers"])]
    return numbers, names


def turn(setting):
    shared = [i for i in range(-300, 1500) if same(lambda: int(str(i)))]
    numbers, names = drawn(setting)
    digits = [str(number) for number in numbers]
    gc.collect()
    gc.disable()
    start = clock()
    made = [int(text) for text in digits]
    after = clock()
    interned = [intern_(name) for name in names]
    end = clock()
    return {
        "times": [["make an integer", (after - start) / float(len(made))],
                  ["make an identifier", (end - after) / float(len(names))]],
        "counts": [
            ["integers below 0 that are shared", sum(1 for i in shared if i < 0)],
            ["largest integer that is shared", max(shared)],
            ["integers that are shared", len(shared)],
            ["objects for the integers drawn", len(set(map(id, made)))],
            ["objects for the identifiers drawn", len(set(map(id, interned)))],
            ["characters that are shared", sum(1 for i in range(512) if same(lambda: character(i)))],
            ["identifiers made at run time that are shared", int(same(identifier))],
            ["interned identifiers that are shared", int(same(lambda: intern_(identifier())))],
            ["constants like identifiers that are shared", int(same_constant("'identifier_1'"))],
            ["other constants that are shared", int(same_constant("'not an identifier'"))],
            # 3.11 begins their counts at 999,999,999; what is immortal answers more than 2^31.
            ["small integers that are immortal", sum(1 for i in range(-5, 257) if sys.getrefcount(i) >= 1 << 31)],
        ],
    }
