"""No change of memory management would help; a second dump, some time later, shows whether something grows."""
if __name__ == "__main__":
    print(__doc__)
