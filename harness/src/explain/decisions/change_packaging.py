"""A template: import where it is used, and load before workers fork."""
import importlib

TARGET = "unittest"  # set


def used_rarely(*arguments):
    """the import runs at the first call and is a look-up afterwards"""
    module = importlib.import_module(TARGET)
    return module


class Later:
    """stands for a module until an attribute is asked for: `heavy = Later("heavy")` in place of `import heavy`"""

    def __init__(self, name):
        self.__dict__["_name"] = name

    def __getattr__(self, attribute):
        return getattr(importlib.import_module(self._name), attribute)


# gunicorn: preload_app = True, and in post_fork nothing that imports; then gc.freeze() before the fork, so that the
# collector does not write to the shared pages.
if __name__ == "__main__":
    later = Later("json")
    assert later.dumps([1]) == "[1]"
    print("in place of `import %s`: Later(%r)" % (TARGET, TARGET))
