setting = json.loads(sys.argv[1])
while sys.stdin.readline():
    print(json.dumps(turn(setting)))
    sys.stdout.flush()
