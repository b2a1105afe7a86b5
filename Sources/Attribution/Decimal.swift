/// Decimal digits and nothing else; nil where there are others, none, or too many.
func decimal<Number: FixedWidthInteger & UnsignedInteger>(_ digits: some Collection<UInt8>) -> Number? {
    guard !digits.isEmpty, digits.count <= (Number.bitWidth > 32 ? 20 : 10) else { return nil }
    var value: Number = 0
    for digit in digits {
        guard digit >= 0x30, digit <= 0x39 else { return nil }
        let (scaled, over) = value.multipliedReportingOverflow(by: 10)
        let (sum, more) = scaled.addingReportingOverflow(Number(digit &- 0x30))
        guard !over, !more else { return nil }
        value = sum
    }
    return value
}
