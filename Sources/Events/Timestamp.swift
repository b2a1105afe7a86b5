/// Times as RFC 3339 has them, in UTC with nanoseconds: `2024-02-29T23:59:59.000000001Z`, always 30 characters.
struct TimestampWriter {
    /// A date as text: "2024-02-" and "29".
    private struct CachedDate {
        var day = Int64.min
        var text: (UInt64, UInt16) = (0, 0)
    }

    /// A second as text: "2024-02-", "29T23:59" and ":59."
    private struct CachedSecond {
        var second = Int64.min
        var text: (UInt64, UInt64, UInt32) = (0, 0, 0)
    }

    /// By the last bits of the second: an event's own time, its file's and the first and last of several changes are
    /// mostly in one second or in two that follow each other.
    private var seconds = InlineArray<4, CachedSecond>(repeating: CachedSecond())
    /// By the last bits of the day: of those and of a process's start there are often two.
    private var dates = InlineArray<4, CachedDate>(repeating: CachedDate())

    /// Nanoseconds since 1970, negative before it. An Int64 of them spans 1677 to 2262.
    @inline(__always)
    mutating func write(nanoseconds: Int64, _ cursor: inout Cursor) {
        var seconds = nanoseconds / 1_000_000_000
        var rest = nanoseconds &- seconds &* 1_000_000_000
        if rest < 0 {
            seconds &-= 1
            rest &+= 1_000_000_000
        }
        append(second: seconds, nanoseconds: UInt64(truncatingIfNeeded: rest), &cursor)
    }

    /// Seconds since 1970 in the proleptic Gregorian calendar; outside the years 0 to 9999, which are all that RFC 3339
    /// can say, the nearest moment that it can.
    @inline(__always)
    mutating func write(seconds: Int64, nanoseconds: Int64, _ cursor: inout Cursor) {
        if seconds < Self.first {
            append(second: Self.first, nanoseconds: 0, &cursor)
        } else if seconds > Self.last {
            append(second: Self.last, nanoseconds: 999_999_999, &cursor)
        } else {
            append(second: seconds, nanoseconds: UInt64(truncatingIfNeeded: nanoseconds), &cursor)
        }
    }

    @inline(__always)
    private mutating func append(second: Int64, nanoseconds: UInt64, _ cursor: inout Cursor) {
        let slot = Int(truncatingIfNeeded: second & 3)
        if seconds[slot].second != second { seconds[slot] = text(second) }
        let text = seconds[slot].text
        let position = cursor.position
        position.storeBytes(of: text.0, as: UInt64.self)
        position.storeBytes(of: text.1, toByteOffset: 8, as: UInt64.self)
        position.storeBytes(of: text.2, toByteOffset: 16, as: UInt32.self)
        let first = nanoseconds / 100_000_000
        position.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: first), toByteOffset: 20, as: UInt8.self)
        Decimal.store(eight: Decimal.eight(nanoseconds &- first &* 100_000_000), to: position + 21)
        position.storeBytes(of: UInt8(ascii: "Z"), toByteOffset: 29, as: UInt8.self)
        cursor.position += 30
    }

    @inline(never)
    private mutating func text(_ seconds: Int64) -> CachedSecond {
        let (day, second) = Self.split(seconds)
        let slot = Int(truncatingIfNeeded: day & 3)
        if dates[slot].day != day { dates[slot] = Self.date(day) }
        let date = dates[slot].text
        var made = CachedSecond(second: seconds)
        withUnsafeMutableBytes(of: &made.text) { bytes in
            guard let text = bytes.baseAddress else { return }
            text.storeBytes(of: date.0, as: UInt64.self)
            text.storeBytes(of: date.1, toByteOffset: 8, as: UInt16.self)
            text.storeBytes(of: UInt8(ascii: "T"), toByteOffset: 10, as: UInt8.self)
            Decimal.pair(second / 3600, to: text + 11)
            text.storeBytes(of: UInt8(ascii: ":"), toByteOffset: 13, as: UInt8.self)
            Decimal.pair(second / 60 % 60, to: text + 14)
            text.storeBytes(of: UInt8(ascii: ":"), toByteOffset: 16, as: UInt8.self)
            Decimal.pair(second % 60, to: text + 17)
            text.storeBytes(of: UInt8(ascii: "."), toByteOffset: 19, as: UInt8.self)
        }
        return made
    }

    private static let first: Int64 = -62_167_219_200  // 0000-01-01T00:00:00
    private static let last: Int64 = 253_402_300_799  // 9999-12-31T23:59:59

    @inline(__always)
    private static func split(_ seconds: Int64) -> (day: Int64, second: UInt64) {
        var day = seconds / 86400
        var second = seconds % 86400
        if second < 0 {
            day &-= 1
            second &+= 86400
        }
        return (day, UInt64(truncatingIfNeeded: second))
    }

    /// Days since 1970 to a date by eras of 400 years that begin in March, so that the leap day is the last of its year.
    @inline(never)
    private static func date(_ day: Int64) -> CachedDate {
        let shifted = day &+ 719_468  // days from 0000-03-01
        let era = (shifted >= 0 ? shifted : shifted &- 146_096) / 146_097
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra = (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let marchMonth = (5 &* dayOfYear &+ 2) / 153
        let dayOfMonth = dayOfYear &- (153 &* marchMonth &+ 2) / 5 &+ 1
        let month = marchMonth < 10 ? marchMonth &+ 3 : marchMonth &- 9
        let year = UInt64(truncatingIfNeeded: yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0))
        var date = CachedDate(day: day)
        withUnsafeMutableBytes(of: &date.text) { bytes in
            guard let text = bytes.baseAddress else { return }
            Decimal.pair(year / 100, to: text)
            Decimal.pair(year % 100, to: text + 2)
            text.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 4, as: UInt8.self)
            Decimal.pair(UInt64(truncatingIfNeeded: month), to: text + 5)
            text.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 7, as: UInt8.self)
            Decimal.pair(UInt64(truncatingIfNeeded: dayOfMonth), to: text + 8)
        }
        return date
    }
}
