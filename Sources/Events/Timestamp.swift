/// Times as RFC 3339 has them, in UTC with nanoseconds: `2024-02-29T23:59:59.000000001Z`, always 30 characters.
struct TimestampWriter {
    /// A date as text: "2024-02-" and "29".
    private struct CachedDate {
        var day = Int64.min
        var text: (UInt64, UInt16) = (0, 0)
    }

    /// By the last bits of the day: an event's own day, its process's and its file's are often three.
    private var dates = InlineArray<4, CachedDate>(repeating: CachedDate())

    /// Nanoseconds since 1970, negative before it. An Int64 of them spans 1677 to 2262.
    @inline(__always)
    mutating func write(nanoseconds: Int64, _ cursor: inout Cursor) {
        var seconds = nanoseconds / 1_000_000_000
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            seconds &-= 1
            rest &+= 1_000_000_000
        }
        write(seconds: seconds, nanoseconds: rest, &cursor)
    }

    /// Seconds since 1970 in the proleptic Gregorian calendar; outside the years 0 to 9999, which are all that RFC 3339
    /// can say, the nearest moment that it can.
    @inline(__always)
    mutating func write(seconds unclamped: Int64, nanoseconds: Int64, _ cursor: inout Cursor) {
        var seconds = unclamped
        var fraction = UInt64(truncatingIfNeeded: nanoseconds)
        if seconds < Self.first {
            seconds = Self.first
            fraction = 0
        } else if seconds > Self.last {
            seconds = Self.last
            fraction = 999_999_999
        }
        let (day, second) = Self.split(seconds)
        let slot = Int(truncatingIfNeeded: day & 3)
        if dates[slot].day != day { dates[slot] = Self.date(day) }
        let date = dates[slot].text
        let position = cursor.position
        position.storeBytes(of: date.0, as: UInt64.self)
        position.storeBytes(of: date.1, toByteOffset: 8, as: UInt16.self)
        position.storeBytes(of: UInt8(ascii: "T"), toByteOffset: 10, as: UInt8.self)
        Decimal.pair(second / 3600, to: position + 11)
        position.storeBytes(of: UInt8(ascii: ":"), toByteOffset: 13, as: UInt8.self)
        Decimal.pair(second / 60 % 60, to: position + 14)
        position.storeBytes(of: UInt8(ascii: ":"), toByteOffset: 16, as: UInt8.self)
        Decimal.pair(second % 60, to: position + 17)
        position.storeBytes(of: UInt8(ascii: "."), toByteOffset: 19, as: UInt8.self)
        position.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: fraction / 100_000_000), toByteOffset: 20, as: UInt8.self)
        Decimal.store(eight: Decimal.eight(fraction % 100_000_000), to: position + 21)
        position.storeBytes(of: UInt8(ascii: "Z"), toByteOffset: 29, as: UInt8.self)
        cursor.position += 30
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
