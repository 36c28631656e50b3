"""How many Fetches run in one turn of the loop, and in which order the others follow."""

from collections.abc import Callable

from ottla.aio.turns import TURN_S, Turns


class World:
    """A loop whose turns the test makes, and Fetches that take a third of a turn's share each."""

    def __init__(self) -> None:
        self.now_s = 1.0
        self.soon: list[Callable[[], None]] = []
        self.ran: list[str] = []
        self.turns = Turns(self.soon.append, lambda: self.now_s)

    def ask(self, name: str) -> None:
        if self.turns.may_read(lambda: self.run(name)):
            self.run(name)

    def run(self, name: str) -> None:
        self.ran.append(name)
        self.now_s += TURN_S * 0.34

    def turn(self) -> None:
        soon, self.soon[:] = list(self.soon), []
        for callback in soon:
            callback()


def test_fetches_beyond_the_share_of_a_turn_run_in_the_next_in_their_order() -> None:
    world = World()
    for number in range(8):
        world.ask(str(number))
    assert world.ran == ["0", "1", "2"]
    world.turn()
    assert world.ran == ["0", "1", "2", "3", "4", "5"]
    world.turn()
    assert world.ran == [str(number) for number in range(8)]


def test_nobody_overtakes_those_who_wait() -> None:
    world = World()
    for number in range(4):
        world.ask(str(number))
    world.turn()  # "3" has run and left room
    world.ask("4")
    world.ask("5")
    world.ask("6")
    assert world.ran == ["0", "1", "2", "3", "4", "5"]
    world.turn()
    assert world.ran[-1] == "6"


def test_a_turn_with_few_fetches_leaves_nothing_behind() -> None:
    world = World()
    for number in range(10):
        world.ask(str(number))
        world.turn()
        world.now_s += 1.0
        world.turn()
        assert world.soon == []
    assert len(world.ran) == 10


def test_one_that_takes_long_is_alone_in_its_turn() -> None:
    world = World()
    world.ask("first")
    world.now_s += 1.0
    world.ask("second")
    world.ask("third")
    assert world.ran == ["first"]
    world.turn()
    assert world.ran == ["first", "second", "third"]
