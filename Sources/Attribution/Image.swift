internal import Glibc
internal import KernelABI

/// What a process runs: its executable and its arguments, in one block of memory that all share who run the same. Counted by hand: entries of
/// the table are flat memory.
struct Image {
    /// Of the executable; all 0: not known.
    var object: hv_object
    var ctime: UInt64
    /// Another one whenever anything becomes known of it.
    var version: UInt64
    var references: UInt32
    var pathLength: UInt32
    var argumentsLength: UInt32
    var flags: Flags
    /// The block's own hash, for the table of images.
    var sum: UInt64

    struct Flags: OptionSet {
        let rawValue: UInt32
        static let argumentsCut = Flags(rawValue: 1)
        static let fileless = Flags(rawValue: 2)
        /// What was read in /proc, which may be another's or what the process wrote there.
        static let fromProc = Flags(rawValue: 4)
    }

    static let head = (MemoryLayout<Image>.size + 15) & ~15
}

extension UnsafeMutablePointer<Image> {
    var path: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(self) + Image.head, count: Int(pointee.pathLength))
    }

    /// Each ended by a NUL; the last may be cut.
    var arguments: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: UnsafeRawPointer(self) + Image.head + Int(pointee.pathLength), count: Int(pointee.argumentsLength))
    }
}

/// Images that are in use. The same program with the same arguments is one block, as far as a small table of the latest remembers.
struct ImageTable: ~Copyable {
    private static let slots = 2048
    private let recent: UnsafeMutablePointer<UnsafeMutablePointer<Image>?>
    /// Bytes in blocks now.
    private(set) var bytes = 0
    private(set) var count = 0

    init() {
        recent = .allocate(capacity: Self.slots)
        recent.initialize(repeating: nil, count: Self.slots)
    }

    deinit { recent.deallocate() }

    /// With one reference for the caller.
    mutating func make(
        object: hv_object, ctime: UInt64, path: UnsafeRawBufferPointer, arguments: UnsafeRawBufferPointer, flags: Image.Flags, version: UInt64
    ) -> UnsafeMutablePointer<Image> {
        var sum = Self.mix(0x9e37_79b9_7f4a_7c15, path)
        sum = Self.mix(sum, arguments)
        sum = Self.mix(sum, object.inode ^ UInt64(object.device) << 40 ^ UInt64(flags.rawValue))
        sum = Self.mix(sum, ctime ^ object.mtime ^ object.size)
        let slot = Int(truncatingIfNeeded: sum >> 53)
        if let known = recent[slot], known.pointee.sum == sum, known.pointee.ctime == ctime, known.pointee.flags == flags,
            Self.same(known.pointee.object, object), Self.same(known.path, path), Self.same(known.arguments, arguments)
        {
            known.pointee.references += 1
            return known
        }
        let size = Image.head + path.count + arguments.count
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        let image = block.bindMemory(to: Image.self, capacity: 1)
        image.initialize(
            to: Image(
                object: object, ctime: ctime, version: version, references: 1, pathLength: UInt32(path.count),
                argumentsLength: UInt32(arguments.count), flags: flags, sum: sum))
        if let start = path.baseAddress { memcpy(block + Image.head, start, path.count) }
        if let start = arguments.baseAddress { memcpy(block + Image.head + path.count, start, arguments.count) }
        recent[slot] = image
        bytes += size
        count += 1
        return image
    }

    func retain(_ image: UnsafeMutablePointer<Image>?) -> UnsafeMutablePointer<Image>? {
        image?.pointee.references += 1
        return image
    }

    mutating func release(_ image: UnsafeMutablePointer<Image>?) {
        guard let image else { return }
        image.pointee.references -= 1
        guard image.pointee.references == 0 else { return }
        let slot = Int(truncatingIfNeeded: image.pointee.sum >> 53)
        if recent[slot] == image { recent[slot] = nil }
        bytes -= Image.head + Int(image.pointee.pathLength) + Int(image.pointee.argumentsLength)
        count -= 1
        UnsafeMutableRawPointer(image).deallocate()
    }

    /// A reference less, where the table itself is at its end.
    static func drop(_ image: UnsafeMutablePointer<Image>?) {
        guard let image else { return }
        image.pointee.references -= 1
        if image.pointee.references == 0 { UnsafeMutableRawPointer(image).deallocate() }
    }

    private static func same(_ one: hv_object, _ other: hv_object) -> Bool {
        one.inode == other.inode && one.device == other.device && one.generation == other.generation && one.size == other.size
            && one.mtime == other.mtime
    }

    private static func same(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Bool {
        guard one.count == other.count, let first = one.baseAddress, let second = other.baseAddress else { return one.count == other.count }
        return memcmp(first, second, one.count) == 0
    }

    @inline(__always)
    private static func mix(_ sum: UInt64, _ value: UInt64) -> UInt64 {
        let product = (sum ^ value).multipliedFullWidth(by: 0xff51_afd7_ed55_8ccd)
        return product.high ^ product.low
    }

    private static func mix(_ sum: UInt64, _ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var sum = mix(sum, UInt64(bytes.count))
        var at = 0
        while at + 8 <= bytes.count {
            sum = mix(sum, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest: UInt64 = 0
        while at < bytes.count {
            rest = rest << 8 | UInt64(bytes[at])
            at += 1
        }
        return mix(sum, rest)
    }
}
