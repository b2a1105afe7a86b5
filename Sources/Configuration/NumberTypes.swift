internal import FilterLanguage

// Numbers, durations and sizes are read from their text, not by YAML's rules, under which 010 is 8, 1_000 is 1000 and 1:30 is 90.

/// A whole number in decimal that stands at the start of a value, and what follows it.
private func number(_ text: String) -> (value: Int, unit: String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty, digits == "0" || digits.first != "0", let value = Int(digits) else { return nil }
    return (value, String(text.dropFirst(digits.count)))
}

extension ValueType<Int> {
    static func whole(_ range: ClosedRange<Int>) -> Self {
        integer("whole number, \(range.lowerBound) to \(range.upperBound)", range)
    }

    static func percent(_ range: ClosedRange<Int>) -> Self {
        integer("percent, \(range.lowerBound) to \(range.upperBound)", range)
    }

    private static func integer(_ description: String, _ range: ClosedRange<Int>) -> Self {
        ValueType(description: description) { tree throws(Complaint) in
            let text = try oneValue(tree, "a \(description)")
            if case .text(_, quoted: true) = tree.content {
                throw Complaint(tree.position, "\(quoted(text)) is a text, not a number", hint: "remove its quotes")
            }
            guard let (value, unit) = number(text), unit.isEmpty else {
                throw Complaint(
                    tree.position, "\(quoted(text)) is not a whole number",
                    hint: "write digits only, from \(range.lowerBound) to \(range.upperBound), without leading zeros")
            }
            guard range.contains(value) else {
                throw Complaint(
                    tree.position, "\(value) is out of range", hint: "use \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        } render: {
            .scalar(String($0))
        }
    }
}

// MARK: - Sizes

private let sizeUnits: [(name: String, bytes: Int)] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]

/// A size as people write it, in the largest unit that gives a whole number.
func sizeText(_ bytes: Int) -> String {
    for unit in sizeUnits where bytes > 0 && bytes.isMultiple(of: unit.bytes) { return "\(bytes / unit.bytes)\(unit.name)" }
    return String(bytes)
}

extension ValueType<Int> {
    /// Bytes of one ring: BPF_MAP_TYPE_RINGBUF takes a power of two that is a multiple of the page size (kernel/bpf/ringbuf.c, ringbuf_map_alloc).
    static func ringSize(_ range: ClosedRange<Int>, orAutomatic: Bool = false) -> Self {
        let rule = "a power of two, \(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))" + (orAutomatic ? ", or 0" : "")
        return ValueType(description: "size in bytes, " + rule) { tree throws(Complaint) in
            let bytes = try size(tree, example: sizeText(range.lowerBound))
            if bytes == 0, orAutomatic { return 0 }
            guard range.contains(bytes), bytes & (bytes - 1) == 0 else {
                throw Complaint(tree.position, "\(sizeText(bytes)) can't be the size of a ring", hint: "use " + rule)
            }
            return bytes
        } render: {
            .scalar(sizeText($0))
        }
    }

    static func bytes(_ range: ClosedRange<Int>) -> Self {
        let rule = "\(sizeText(range.lowerBound)) to \(sizeText(range.upperBound))"
        return ValueType(description: "size in bytes, " + rule) { tree throws(Complaint) in
            let bytes = try size(tree, example: sizeText(range.upperBound))
            guard range.contains(bytes) else { throw Complaint(tree.position, "\(sizeText(bytes)) is out of range", hint: "use " + rule) }
            return bytes
        } render: {
            .scalar(sizeText($0))
        }
    }

    private static func size(_ tree: Tree, example: String) throws(Complaint) -> Int {
        let text = try oneValue(tree, "a size such as \(example)")
        let units = sizeUnits + [("B", 1), ("", 1)]
        guard let (value, unit) = number(text) else {
            throw Complaint(
                tree.position, "\(quoted(text)) is not a size",
                hint: "write bytes as a decimal number without leading zeros, or with a unit: \(example)")
        }
        guard let factor = units.first(where: { $0.name == unit })?.bytes else {
            throw Complaint(tree.position, "\(quoted(text)) has no unit that is known here", hint: "use KiB, MiB or GiB, or none for bytes")
        }
        let (bytes, overflow) = value.multipliedReportingOverflow(by: factor)
        if overflow { throw Complaint(tree.position, "\(quoted(text)) is too large", hint: "write a smaller size, such as \(example)") }
        return bytes
    }
}

// MARK: - Durations

private let durationUnits: [(name: String, nanoseconds: Int)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000),
]

/// A duration as people write it, in the largest unit that gives a whole number.
func durationText(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
    for unit in durationUnits where nanoseconds > 0 && nanoseconds.isMultiple(of: unit.nanoseconds) {
        return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }
    return String(nanoseconds)
}

extension ValueType<Duration> {
    static func duration(_ range: ClosedRange<Duration>) -> Self {
        let bounds = "\(durationText(range.lowerBound)) to \(durationText(range.upperBound))"
        let units = durationUnits.map(\.name).reversed().joined(separator: ", ")
        return ValueType(description: "duration, \(bounds)") { tree throws(Complaint) in
            let text = try oneValue(tree, "a duration such as \(durationText(range.upperBound))")
            guard let (value, unit) = number(text) else {
                throw Complaint(
                    tree.position, "\(quoted(text)) is not a duration",
                    hint: "write a decimal number without leading zeros and a unit (\(units)), such as \(durationText(range.upperBound))")
            }
            // 0 is 0 in every unit.
            guard let factor = unit.isEmpty && value == 0 ? 1 : durationUnits.first(where: { $0.name == unit })?.nanoseconds else {
                let what = unit.isEmpty ? "has no unit" : "has no unit that is known here"
                throw Complaint(tree.position, "\(quoted(text)) \(what)", hint: "use one of \(units), such as \(value)s")
            }
            let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: factor)
            guard !overflow, range.contains(.nanoseconds(nanoseconds)) else {
                throw Complaint(tree.position, "\(text) is out of range", hint: "use \(bounds)")
            }
            return .nanoseconds(nanoseconds)
        } render: {
            .scalar(durationText($0))
        }
    }
}
