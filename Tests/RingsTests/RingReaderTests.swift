import Foundation
import Rings
import Synchronization
import Testing

@Suite struct RingReaderTests {
    /// Everything that one drain hands out.
    func drain(_ reader: inout RingReader, records: Int = .max, bytes: Int = .max) -> ([[UInt8]], RingDrain) {
        var seen: [[UInt8]] = []
        let done = reader.drain(records: records, bytes: bytes) { seen.append(array($0)) }
        return (seen, done)
    }

    @Test func emptyRing() {
        let ring = SimulatedRing(size: 4096)
        var reader = ring.reader()
        let (seen, done) = drain(&reader)
        #expect(seen.isEmpty && done.stop == .empty && done.bytes == 0)
        #expect(reader.fill == 0)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 100, 4000])
    func payloadComesOutAsWritten(length: Int) {
        let ring = SimulatedRing(size: 8192)
        let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        ring.write(payload)
        var reader = ring.reader()
        #expect(reader.fill == (length + 15) / 8 * 8)
        let (seen, done) = drain(&reader)
        #expect(seen == [payload])
        #expect(done.records == 1 && done.bytes == (length + 15) / 8 * 8)
        #expect(ring.consumed == ring.produced && reader.fill == 0)
    }

    /// Many times around the ring, also across 2^64, with every alignment of a record to its end.
    @Test(arguments: [0, (UInt.max - 9999) & ~7])
    func wrap(position: UInt) {
        let ring = SimulatedRing(size: 4096, position: position)
        var reader = ring.reader()
        var random = SeededGenerator(seed: 1)
        var next = 0
        var expected: [[UInt8]] = []
        var seen: [[UInt8]] = []
        while next < 5000 {
            let payload = Array(repeating: UInt8(truncatingIfNeeded: next), count: Int.random(in: 0...600, using: &random))
            if ring.write(payload) {
                expected.append(payload)
                next += 1
            } else {
                seen += drain(&reader).0
            }
        }
        seen += drain(&reader).0
        #expect(seen == expected)
    }

    @Test func discardedRecordsAreSteppedOver() {
        let ring = SimulatedRing(size: 4096)
        ring.write([1])
        ring.write([2, 2, 2, 2, 2, 2, 2, 2, 2], discard: true)
        ring.write([3])
        var reader = ring.reader()
        let (seen, done) = drain(&reader)
        #expect(seen == [[1], [3]])
        #expect(done.records == 2 && done.discarded == 1 && done.stop == .empty)
        #expect(done.bytes == 16 + 24 + 16)
    }

    @Test func busyRecordStopsTheDrainUntilItIsCommitted() throws {
        let ring = SimulatedRing(size: 4096)
        ring.write([1])
        let reserved = try #require(ring.reserve(3))
        ring.write([3])
        var reader = ring.reader()
        var (seen, done) = drain(&reader)
        #expect(seen == [[1]] && done.stop == .busy)
        (seen, done) = drain(&reader)
        #expect(seen.isEmpty && done.stop == .busy)
        #expect(ring.consumed == 16)
        ring.fill(reserved, [7, 8, 9])
        ring.commit(reserved)
        (seen, done) = drain(&reader)
        #expect(seen == [[7, 8, 9], [3]] && done.stop == .empty)
    }

    @Test func busyHeadIsTimed() throws {
        let ring = SimulatedRing(size: 4096)
        var reader = ring.reader()
        #expect(reader.headBusy(now: 100) == nil)
        let first = try #require(ring.reserve(8))
        let second = try #require(ring.reserve(8))
        #expect(reader.headBusy(now: 200) == 0)
        #expect(reader.headBusy(now: 700) == 500)
        ring.commit(first)
        #expect(reader.headBusy(now: 800) == nil)
        _ = drain(&reader)
        #expect(reader.headBusy(now: 900) == 0, "another record: its own time")
        ring.commit(second)
        _ = drain(&reader)
        #expect(reader.headBusy(now: 1000) == nil)
    }

    @Test func recordBudget() {
        let ring = SimulatedRing(size: 4096)
        for value in 0..<10 { ring.write([UInt8(value)]) }
        var reader = ring.reader()
        var (seen, done) = drain(&reader, records: 4)
        #expect(seen == [[0], [1], [2], [3]] && done.stop == .budget)
        #expect(ring.consumed == 64)
        (seen, done) = drain(&reader, records: 6)
        #expect(seen.count == 6 && done.stop == .budget)
        (seen, done) = drain(&reader, records: 6)
        #expect(seen.isEmpty && done.stop == .empty)
    }

    @Test func byteBudgetEndsWithTheRecordThatFillsIt() {
        let ring = SimulatedRing(size: 4096)
        for _ in 0..<10 { ring.write(Array(repeating: 1, count: 24)) }
        var reader = ring.reader()
        #expect(drain(&reader, bytes: 1).0.count == 1)
        #expect(drain(&reader, bytes: 64).0.count == 2)
        #expect(drain(&reader, bytes: 65).0.count == 3)
        let (seen, done) = drain(&reader)
        #expect(seen.count == 4 && done.stop == .empty)
    }

    /// The producer is faster than the consumer: the drain ends by its budget all the same.
    @Test func drainEndsThoughTheProducerNeverDoes() {
        let ring = SimulatedRing(size: 4096)
        var reader = ring.reader()
        ring.write([1])
        var calls = 0
        let done = reader.drain(records: 100, bytes: .max) { _ in
            calls += 1
            ring.write([1])
        }
        #expect(calls == 100 && done.stop == .budget)
    }

    /// A length beyond the ring, beyond the producer's position, or of a busy or discarded record.
    @Test(arguments: [0x3fff_ffff, 4096, 4089, 41, 0xbfff_ffff, 0x7fff_ffff, 0x4000_0029] as [UInt32])
    func corruptLength(word: UInt32) throws {
        let ring = SimulatedRing(size: 4096)
        ring.write([1])
        ring.write([2])
        ring.write([3])
        ring.write([4])
        var reader = ring.reader()
        ring.header(16).pointee.store(word, ordering: .relaxed)
        var (seen, done) = drain(&reader)
        #expect(seen == [[1]])
        #expect(done.corruptBytes == 48 && done.corruptions == 1 && done.stop == .empty)
        #expect(ring.consumed == ring.produced, "it goes on at the producer's position")
        ring.write([5])
        (seen, done) = drain(&reader)
        #expect(seen == [[5]] && done.corruptions == 0)
    }

    /// A header of which one half is old: the length of a longer record that lay there before.
    @Test func tornHeader() {
        let ring = SimulatedRing(size: 4096)
        ring.write(Array(repeating: 1, count: 100))
        var reader = ring.reader()
        ring.header(0).pointee.store(0x0000_ff64, ordering: .relaxed)
        let (seen, done) = drain(&reader)
        #expect(seen.isEmpty && done.corruptBytes == 112)
    }

    @Test(arguments: [4104, 1 << 40, UInt(bitPattern: -8)])
    func corruptProducerPosition(position: UInt) {
        let ring = SimulatedRing(size: 4096)
        var reader = ring.reader()
        ring.producer.pointee.store(position, ordering: .releasing)
        let (seen, done) = drain(&reader)
        #expect(seen.isEmpty && done.corruptions == 1 && done.corruptBytes == 4096)
        #expect(ring.consumed == position)
        ring.write([9])
        #expect(drain(&reader).0 == [[9]])
    }

    @Test func nothingIsReleasedByLooking() {
        let ring = SimulatedRing(size: 4096)
        for value in 0..<4 { ring.write([UInt8(value)]) }
        var reader = ring.reader()
        guard case .record = reader.next() else { Issue.record("no record"); return }
        let mark = reader.mark
        guard case .record = reader.next() else { Issue.record("no record"); return }
        #expect(ring.consumed == 0 && reader.fill == 64)
        reader.release(upTo: mark)
        #expect(ring.consumed == 16)
        #expect(drain(&reader).0 == [[2], [3]], "reading goes on where it was")
        #expect(ring.consumed == 64)
    }

    /// Random bytes in the ring and as positions; the pages around the ring end the test if they are touched.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func randomBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let ring = SimulatedRing(size: 4096, position: UInt.random(in: 0...UInt.max, using: &random))
        var reader = ring.reader()
        let mask: UInt32 = seed % 2 == 0 ? 0xffff_ffff : 0xc000_01ff  // mostly plausible lengths with odd seeds
        var outside = 0
        var sum: UInt8 = 0
        for _ in 0..<100 {
            for offset in stride(from: 0, to: 4096, by: 4) {
                ring.data.storeBytes(of: UInt32.random(in: 0...UInt32.max, using: &random) & mask, toByteOffset: offset, as: UInt32.self)
            }
            let ahead = Bool.random(using: &random) ? UInt.random(in: 0...5000, using: &random) : UInt.random(in: 0...UInt.max, using: &random)
            ring.producer.pointee.store(ring.consumed &+ ahead, ordering: .releasing)
            let done = reader.drain(records: 1000, bytes: 4096) { bytes in
                bytes.withUnsafeBytes {
                    let offset = $0.baseAddress! - UnsafeRawPointer(ring.data)
                    if offset < 8 || offset + $0.count > 2 * 4096 { outside += 1 }
                    if let first = $0.first, let last = $0.last { sum &+= first &+ last }
                }
            }
            #expect(done.bytes <= 4096 + 4096 && done.corruptBytes <= 4096 * max(1, done.corruptions))
        }
        #expect(outside == 0)
        withExtendedLifetime(sum) {}
    }

    /// A writer and a reader on two threads.
    @Test func writerOnAnotherThread() async {
        let ring = SimulatedRing(size: 16384)
        let count = 30_000
        let writer = Thread {
            var random = SeededGenerator(seed: 5)
            var number = 0
            while number < count {
                let length = 8 + Int.random(in: 0...200, using: &random)
                guard let position = ring.reserve(length) else {
                    Thread.sleep(forTimeInterval: 0)
                    continue
                }
                if number % 7 == 3 {
                    ring.commit(position, discard: true)
                } else {
                    let bytes = withUnsafeBytes(of: number) { Array($0) } + Array(repeating: UInt8(truncatingIfNeeded: number), count: length - 8)
                    ring.fill(position, bytes)
                    ring.commit(position)
                }
                number += 1
            }
        }
        writer.start()
        var reader = ring.reader()
        var number = 0
        var wrong = 0
        var discarded = 0
        while number < count {
            let done = reader.drain(records: 100, bytes: 4096) { bytes in
                if number % 7 == 3 { number += 1 }
                bytes.withUnsafeBytes {
                    if $0.loadUnaligned(as: Int.self) != number { wrong += 1 }
                    if $0.dropFirst(8).contains(where: { $0 != UInt8(truncatingIfNeeded: number) }) { wrong += 1 }
                }
                number += 1
            }
            discarded += done.discarded
            if done.corruptions > 0 { wrong += 1 }
            if number == count - 1 && number % 7 == 3 { break }
            if done.stop != .budget { await Task.yield() }
        }
        #expect(wrong == 0)
        #expect(number >= count - 1)
    }
}
