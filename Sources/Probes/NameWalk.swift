internal import Glibc
internal import KernelABI

/// Bytes of a path, as a C string for the time of a call.
func withPath<Result>(_ path: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: path.count + 1) { buffer in
        for (index, byte) in path.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        buffer[path.count] = 0
        return body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
    }
}

/// What a name was found to be. Enough to tell whether it is the same object still.
struct FoundName: Equatable {
    var inode: UInt64
    var device: UInt32
    var born: UInt64
    var mount: UInt64
    var mode: UInt32
    var links: UInt32

    var isDirectory: Bool { mode & S_IFMT == S_IFDIR }
    var isLink: Bool { mode & S_IFMT == S_IFLNK }

    /// Nil: there is none, or it can't be reached.
    init?(_ path: [UInt8]) {
        var name = hv_name()
        guard withPath(path, { hv_name($0, &name) }) == 0 else { return nil }
        inode = name.inode
        device = name.device
        born = name.born
        mount = name.mount
        mode = name.mode
        links = name.links
    }

    /// The same object: numbers are reused, times of birth are not.
    func isSame(_ other: FoundName) -> Bool { inode == other.inode && device == other.device && born == other.born && mode & S_IFMT == other.mode & S_IFMT }
}

/// Follows names from the root as the kernel does, and notes each look-up: a change of one of those names may change what the whole name
/// leads to. Within one walk over many names a name is looked up once.
struct NameWalk {
    struct Place {
        /// Without links.
        var real: [UInt8]
        /// Nil: it does not exist; `real` is then the deepest directory that does.
        var found: FoundName?
        /// Where it does not exist: the components that are missing.
        var missing = 0
        /// Directories in which names were looked up, without links.
        var directories: [[UInt8]] = []
        /// Some component is a link.
        var linked = false
    }

    private var known: [[UInt8]: FoundName?] = [:]
    /// Every name that was looked up.
    private(set) var looked = PathTable()

    /// As many links as the kernel follows (MAXSYMLINKS, include/linux/namei.h).
    private static let mostLinks = 40

    mutating func look(_ path: [UInt8]) -> FoundName? {
        if let known = known[path] { return known }
        let found = FoundName(path)
        known[path] = .some(found)
        looked.set(path, 1)
        return found
    }

    /// - Parameter from: a directory without links that exists, for a name that goes on from it.
    mutating func follow(_ path: [UInt8], from: [UInt8] = [0x2f]) -> Place {
        var place = Place(real: from, found: nil)
        // The next is last.
        var left = Array(path.split(separator: 0x2f).map(Array.init).reversed())
        var links = 0
        place.found = look(from)
        while let component = left.popLast() {
            if component == [0x2e] { continue }
            if component == [0x2e, 0x2e] {
                place.real = Self.parent(of: place.real)
                place.found = look(place.real)
                continue
            }
            place.directories.append(place.real)
            let next = Self.join(place.real, component)
            guard let found = look(next) else {
                place.found = nil
                place.missing = left.count + 1
                return place
            }
            if found.isLink {
                links += 1
                place.linked = true
                guard links <= Self.mostLinks, let text = Self.link(next) else {
                    place.found = nil
                    place.missing = left.count + 1
                    return place
                }
                if text.first == 0x2f { place.real = [0x2f] }
                left += text.split(separator: 0x2f).map(Array.init).reversed()
                place.found = look(place.real)
                continue
            }
            if !left.isEmpty && !found.isDirectory {
                place.found = nil
                place.missing = left.count
                return place
            }
            place.real = next
            place.found = found
        }
        return place
    }

    static func join(_ directory: [UInt8], _ name: some Collection<UInt8>) -> [UInt8] {
        var path = directory
        if path.last != 0x2f { path.append(0x2f) }
        path += name
        return path
    }

    static func parent(of path: [UInt8]) -> [UInt8] {
        guard let slash = path.lastIndex(of: 0x2f), slash > 0 else { return [0x2f] }
        return Array(path[..<slash])
    }

    /// The text of a symbolic link; nil where there is none.
    static func link(_ path: [UInt8]) -> [UInt8]? {
        let text = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            let start = UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: CChar.self)
            count = max(0, withPath(path) { readlink($0, start, 4096) })
        }
        return text.isEmpty ? nil : text
    }

    /// The names in a directory with the types that it tells (DT_*, DT_UNKNOWN where it does not), without `.` and `..`. The handle
    /// is closed before anything else is done. Nil: it can't be read.
    static func names(in directory: [UInt8], atMost limit: Int = .max) -> [(name: [UInt8], type: UInt8)]? {
        guard let handle = withPath(directory, { opendir($0) }) else { return nil }
        defer { closedir(handle) }
        var names: [(name: [UInt8], type: UInt8)] = []
        while names.count < limit, let entry = readdir(handle) {
            let length = MemoryLayout<dirent>.offset(of: \.d_name).map { UnsafeRawPointer(entry) + $0 }
            guard let start = length?.assumingMemoryBound(to: CChar.self) else { break }
            let name = Array(UnsafeRawBufferPointer(start: start, count: strlen(start)))
            if name != [0x2e] && name != [0x2e, 0x2e] { names.append((name, entry.pointee.d_type)) }
        }
        return names
    }
}
