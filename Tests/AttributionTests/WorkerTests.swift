import Attribution
import Synchronization
import Glibc
import Testing

@Test func workerAnswersInOrder() {
    let worker = Worker<Int, Int>(name: "test", limit: 4) { $0 * 2 }
    defer { worker.stop() }
    for number in 0..<4 { #expect(worker.ask(number)) }
    var answers: [Int] = []
    while answers.count < 4 {
        answers += worker.takeAnswers()
        usleep(1000)
    }
    #expect(answers == [0, 2, 4, 6])
}

/// No thread is to be had for a while: nothing is answered, nothing is lost but the requests that were turned away.
@Test func workerWithoutAThreadTriesAgain() {
    let room = Gate()
    let worker = Worker<Int, Int>(
        name: "test", limit: 4, starter: { name, body in room.open.load(ordering: .acquiring) && startThread(name, body) }, work: { $0 + 1 })
    defer { worker.stop() }
    #expect(!worker.ask(1) && !worker.ask(2))
    room.open.store(true, ordering: .releasing)
    #expect(worker.ask(3))
    var answers: [Int] = []
    while answers.isEmpty {
        answers += worker.takeAnswers()
        usleep(1000)
    }
    #expect(answers == [4])
}

private final class Gate: Sendable { let open = Atomic<Bool>(false) }

@Test func workerThatHangsRefusesAndReturns() {
    let gate = Gate()
    let worker = Worker<Int, Int>(name: "test", limit: 2) { number in
        while !gate.open.load(ordering: .acquiring) { usleep(1000) }
        return number
    }
    defer { worker.stop() }
    var taken = 0
    while taken < 64, worker.ask(taken) { taken += 1 }
    // Two wait; one may already be in work.
    #expect(taken == 2 || taken == 3)
    #expect(!worker.hasAnswers && worker.takeAnswers().isEmpty)
    gate.open.store(true, ordering: .releasing)
    var answers: [Int] = []
    while answers.count < taken {
        answers += worker.takeAnswers()
        usleep(1000)
    }
    #expect(answers == Array(0..<taken))
}
