/// One name of a path.
struct Component {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var count: Int { bytes.count }
    subscript(index: Int) -> UInt8 { bytes[bytes.startIndex + index] }

    func hasPrefix(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
    func hasSuffix(_ text: String) -> Bool { bytes.count >= text.utf8.count && bytes.suffix(text.utf8.count).elementsEqual(text.utf8) }

    /// Nil where it does not begin with that, or is nothing else.
    func dropping(prefix text: String) -> Component? {
        hasPrefix(text) && count > text.utf8.count ? Component(bytes.dropFirst(text.utf8.count)) : nil
    }

    func dropping(suffix text: String) -> Component? {
        hasSuffix(text) && count > text.utf8.count ? Component(bytes.dropLast(text.utf8.count)) : nil
    }

    func between(_ prefix: String, _ suffix: String) -> Component? { dropping(prefix: prefix)?.dropping(suffix: suffix) }

    /// Types of units that have groups (systemd.unit(5)).
    var hasUnitSuffix: Bool { Self.unitSuffixes.contains { hasSuffix($0) } }
    private static let unitSuffixes = [".slice", ".scope", ".service", ".mount", ".socket", ".swap"]

    static func == (component: Component, text: StaticString) -> Bool {
        component.bytes.count == text.utf8CodeUnitCount
            && component.bytes.elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

/// A path's names, and where in it they end.
struct Components {
    private let path: [UInt8]
    private var ranges: [Range<Int>] = []

    init(_ path: UnsafeRawBufferPointer) {
        self.path = Array(path)
        var start = 0
        for index in 0...self.path.count where index == self.path.count || self.path[index] == UInt8(ascii: "/") {
            if index > start { ranges.append(start..<index) }
            start = index + 1
        }
    }

    subscript(index: Int) -> Component? { index < ranges.count ? Component(path[ranges[index]]) : nil }
    func end(of index: Int) -> Int { ranges[index].upperBound }
    func bytes(through index: Int) -> [UInt8] { Array(path[..<ranges[index].upperBound]) }
}
