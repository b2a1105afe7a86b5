import Events
import KernelABI
import Rings
import Testing

@testable import Monitor

@Suite("Operations that wait for their result")
struct JoinerTests {
    /// Bytes to hold, whatever they are.
    private static func record(_ number: UInt64, bytes: Int = 500) -> [UInt8] { [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes) }

    private static func result(_ operation: UInt64, thread: UInt32 = 1, error: Int32 = 0) -> [UInt8] {
        var record = hv_result()
        record.header.size = UInt32(MemoryLayout<hv_result>.size)
        record.header.kind = UInt16(HV_KIND_RESULT.rawValue)
        (record.operation, record.tid, record.error, record.value) = (operation, thread, error, .max)
        return withUnsafeBytes(of: record) { [UInt8]($0) }
    }

    /// A joiner to be used from expectations.
    private final class Held {
        private var joiner = Joiner()

        var count: Int { joiner.count }

        @discardableResult
        func hold(_ operation: UInt64, thread: UInt32 = 1, _ record: [UInt8]? = nil, now: UInt64 = 0) -> Bool {
            let record = record ?? JoinerTests.record(operation)
            return joiner.hold(.init(operation: operation, thread: thread), record.span.bytes, now: now)
        }

        /// What comes out for a result.
        func complete(_ result: [UInt8]) -> [[UInt8]] {
            var out: [[UInt8]] = []
            if let view = ResultView(result.span.bytes) { joiner.complete(view) { record, _ in out.append(record.withUnsafeBytes { [UInt8]($0) }) } }
            return out
        }

        func expire(before time: UInt64) -> [[UInt8]] {
            var out: [[UInt8]] = []
            joiner.expire(before: time) { record, known in
                #expect(known.outcome == .unknown)
                out.append(record.withUnsafeBytes { [UInt8]($0) })
            }
            return out
        }
    }

    @Test func operationAndThreadDecide() {
        let held = Held()
        #expect(held.complete(Self.result(7)).isEmpty)
        held.hold(7)
        held.hold(7, thread: 2, Self.record(9))
        #expect(held.complete(Self.result(8)).isEmpty)
        #expect(held.complete(Self.result(7, thread: 2)) == [Self.record(9)])
        #expect(held.complete(Self.result(7, thread: 2)).isEmpty)
        #expect(held.complete(Self.result(7)) == [Self.record(7)])
        #expect(held.count == 0)
    }

    /// More than the slots take, some longer than a slot, in an order of their own.
    @Test(arguments: [1, 16, 17, 100] as [UInt64])
    func many(_ count: UInt64) {
        let held = Held()
        func bytes(_ number: UInt64) -> [UInt8] { Self.record(number, bytes: number % 5 == 3 ? 4096 + Int(number) : number % 5 == 4 ? 4096 : 300) }
        for round in 0..<3 as Range<UInt64> {
            for number in 0..<count { #expect(held.hold(number, bytes(number + round))) }
            #expect(held.count == Int(count))
            for number in 0..<count {
                let other = (number * 37 + round) % count
                if count != 37 { #expect(held.complete(Self.result(other)) == [bytes(other + round)]) }
            }
            #expect(held.count == 0)
        }
    }

    @Test func whatWaitedTooLongComesByTime() {
        let held = Held()
        for number in 0..<40 as Range<UInt64> { held.hold(number, now: 1000 - number) }
        #expect(held.expire(before: 961).isEmpty)
        #expect(held.expire(before: 980) == (21..<40).reversed().map { Self.record($0) })
        #expect(held.count == 21)
        #expect(held.complete(Self.result(30)).isEmpty)
        #expect(held.expire(before: .max) == (0..<21).reversed().map { Self.record($0) })
        #expect(held.count == 0)
    }

    @Test func bounded() {
        let held = Held()
        for number in 0..<UInt64(Joiner.limit) { #expect(held.hold(number, [1])) }
        #expect(!held.hold(1 << 40, [1]))
        #expect(held.complete(Self.result(5)) == [[1]])
        #expect(held.hold(1 << 40, [2]))
    }
}
