import Events
import FilterLanguage
import KernelABI
import Rings
import Testing

@testable import Filters

/// Whether a record passes a filter.
func passes(_ text: String, _ record: [UInt8], _ resolution: Resolution = Resolution()) throws -> Bool {
    try Filter(text: text).passes(record: record.span.bytes, resolution)
}

/// What is wrong with a filter; fails the test where nothing is.
func complaint(_ text: String) -> FilterError? {
    do {
        _ = try FilterExpression(text)
    } catch {
        return error
    }
    Issue.record("accepted: \(text)")
    return nil
}

/// Numbers that are the same in every run (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func chance(_ one: Int, in all: Int) -> Bool { Int.random(in: 0..<all, using: &self) < one }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[Int.random(in: 0..<elements.count, using: &self)] }
}

extension Condition {
    /// With all its parentheses, for comparison.
    var spelled: String {
        switch self {
        case .all(let parts): "(" + parts.map(\.spelled).joined(separator: " and ") + ")"
        case .any(let parts): "(" + parts.map(\.spelled).joined(separator: " or ") + ")"
        case .not(let inner): "not " + inner.spelled
        case .test(let field, let test):
            (Field.table.first { $0.field == field }?.name.split(separator: ".").last ?? "?") + " "
                + {
                    switch test {
                    case .exists: "exists"
                    case .boolean(let value): "\(value)"
                    case .number(let order, let value): "\(order) \(value)"
                    case .numbers(let values): "in \(values)"
                    case .equal(let bytes): "equal \(String(decoding: bytes, as: UTF8.self))"
                    case .oneOf(let all): "oneOf \(all.map { String(decoding: $0, as: UTF8.self) })"
                    case .contains(let bytes): "contains \(String(decoding: bytes, as: UTF8.self))"
                    case .startsWith(let bytes): "startsWith \(String(decoding: bytes, as: UTF8.self))"
                    case .endsWith(let bytes): "endsWith \(String(decoding: bytes, as: UTF8.self))"
                    case .matches(let glob): "matches \(glob.segments.count)"
                    }
                }()
        }
    }
}
