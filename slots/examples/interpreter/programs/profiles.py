class Profile:
    def __init__(self, name, age, token):
        self.name = name
        self.age = age
        self.token = token

def main(count):
    profiles = []
    for i in range(count):
        profiles.append(Profile("user" + str(i), i % 100, "token of user " + str(i * 7919)))
    total = 0
    for profile in profiles:
        total += profile.age
    print(total)
    total = 0
    for profile in profiles:
        total += len(profile.name) + len(profile.token) - 14
    print(total)

main(1000000)
