import Foundation
import Glibc
import Testing

@testable import Events

private func written(_ body: (inout Cursor) -> Void) -> String {
    var writer = ByteWriter(capacity: 256)
    var cursor = writer.reserve(200)
    body(&cursor)
    writer.commit(cursor)
    return writer.withBytes { String(decoding: $0, as: UTF8.self) }
}

@Suite("Numbers and times")
struct NumberTests {
    @Test func decimals() {
        var values: [UInt64] = [0, .max, .max - 1, UInt64(UInt32.max), UInt64(Int64.max)]
        var power: UInt64 = 1
        while !power.multipliedReportingOverflow(by: 10).overflow {
            power *= 10
            values += [power - 1, power, power + 1]
        }
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<20000 { values.append(generator.next() >> UInt64.random(in: 0..<64, using: &generator)) }
        for value in values {
            let text = written { $0.number(value) }
            if text != String(value) { Issue.record("\(value) as \(text)") }
        }
        // Every number of up to four digits, and eight digits with zeroes in all places.
        for value in UInt64(0)..<12000 {
            if written({ $0.number(value) }) != String(value) { Issue.record("\(value)") }
            if written({ $0.number(value * 10007) }) != String(value * 10007) { Issue.record("\(value * 10007)") }
        }
    }

    @Test func otherNumbers() {
        #expect(written { $0.hexadecimal(0x1ff_ffff_ffff, width: 16) } == "000001ffffffffff")
        #expect(written { $0.octal(0o104755) } == "4755")
        #expect(written { $0.octal(0o100007) } == "0007")
        #expect(written { $0.device(8 << 20 | 1) } == "8:1")
        #expect(written { $0.device(.max) } == "4095:1048575")
        for value in Array(0...1200) + [UInt32.max] where written({ $0.small(value) }) != String(value) { Issue.record("\(value)") }
        #expect(written { $0.owner(0) } == "\"0\"" && written { $0.owner(65534) } == "\"65534\"")
        #expect(written { $0.long(.max) } == "9223372036854775807")
        #expect(written { $0.quoted(UInt64.max) } == "\"18446744073709551615\"")
    }

    @Test(
        arguments: [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (951_868_799, 999_999_999, "2000-02-29T23:59:59.999999999Z"),
            (1_709_208_000, 100_000_000, "2024-02-29T12:00:00.100000000Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
            (-2_203_891_200, 0, "1900-03-01T00:00:00.000000000Z"),
            (-2_203_891_201, 0, "1900-02-28T23:59:59.000000000Z"),
            (253_402_300_799, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
            (253_402_300_800, 0, "9999-12-31T23:59:59.999999999Z"),
            (Int64.max, 0, "9999-12-31T23:59:59.999999999Z"),
            (-62_167_219_200, 0, "0000-01-01T00:00:00.000000000Z"),
            (Int64.min, 5, "0000-01-01T00:00:00.000000000Z"),
        ] as [(Int64, Int64, String)])
    func timestamp(_ seconds: Int64, _ nanoseconds: Int64, _ expected: String) {
        var writer = TimestampWriter()
        #expect(written { writer.write(seconds: seconds, nanoseconds: nanoseconds, &$0) } == expected)
    }

    @Test func nanosecondsOfBothSigns() {
        var writer = TimestampWriter()
        #expect(written { writer.write(nanoseconds: -1, &$0) } == "1969-12-31T23:59:59.999999999Z")
        #expect(written { writer.write(nanoseconds: .min, &$0) } == "1677-09-21T00:12:43.145224192Z")
        #expect(written { writer.write(nanoseconds: .max, &$0) } == "2262-04-11T23:47:16.854775807Z")
    }

    /// Every day from 1600 to 2500 against gmtime_r(3), in an order that makes the cached dates collide.
    @Test func everyDay() {
        var writer = TimestampWriter()
        for day in Int64(-135_140)...Int64(193_440) where day % 3 == 0 || day % 365 < 3 {
            var seconds = time_t(day * 86400 + 86399)
            var parts = tm()
            gmtime_r(&seconds, &parts)
            let text = written { writer.write(seconds: Int64(seconds), nanoseconds: 7, &$0) }
            var expected = [CChar](repeating: 0, count: 64)
            strftime(&expected, 64, "%Y-%m-%dT%H:%M:%S", &parts)
            let date = expected.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            if text != "\(date).000000007Z" { Issue.record("\(text) is not \(date)") }
        }
    }

    /// Seconds that take each other's places, against a writer that has seen nothing.
    @Test func cachedSeconds() {
        var generator = SeededGenerator(seed: 3)
        var writer = TimestampWriter()
        for _ in 0..<20000 {
            let second = Int64.random(in: -3...6, using: &generator) + [0, 86_396, 1_709_208_000, -86_400].randomElement(using: &generator)!
            let nanoseconds = second * 1_000_000_000 + [0, 1, 99_999_999, 100_000_000, 999_999_999].randomElement(using: &generator)!
            var fresh = TimestampWriter()
            let text = written { writer.write(nanoseconds: nanoseconds, &$0) }
            if text != written({ fresh.write(nanoseconds: nanoseconds, &$0) }) { Issue.record("\(nanoseconds) as \(text)") }
        }
    }

    /// The C library's own table is the judge.
    @Test func errnoNames() throws {
        let symbol = try #require(dlsym(nil, "strerrorname_np"))
        let nameOf = unsafeBitCast(symbol, to: (@convention(c) (CInt) -> UnsafePointer<CChar>?).self)
        for number in 1..<512 as Range<CInt> {
            let expected = nameOf(number).map { String(cString: $0) }
            let name = ErrnoNames.name(UInt32(number)).map { "\($0)" }
            #expect(name == expected || name == "EOPNOTSUPP" && expected == "ENOTSUP", "\(number)")
        }
        #expect(written { ErrnoNames.write(UInt32(ENOENT), &$0) } == "ENOENT")
        #expect(written { ErrnoNames.write(512, &$0) } == "512")
        #expect(written { ErrnoNames.write(.max, &$0) } == "4294967295")
    }

    @Test func signalNames() {
        #expect(SignalNames.name(UInt32(SIGKILL)).map { "\($0)" } == "SIGKILL")
        #expect(SignalNames.name(UInt32(SIGSYS)).map { "\($0)" } == "SIGSYS")
        #expect(SignalNames.name(0) == nil)
        #expect(SignalNames.name(64) == nil)
    }
}
