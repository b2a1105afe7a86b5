internal import Glibc

internal import Rings

/// Room for one host path: a folder's from the cache, with a name behind it.
struct PathRoom: ~Copyable {
    let start = UnsafeMutableRawPointer.allocate(byteCount: DirectoryCache.longest + Int(UInt16.max), alignment: 16)

    deinit { start.deallocate() }
}

/// Host paths of folders, by device and path inside the file system: most changes lie in folders where others were just seen, and then
/// neither mounts nor watched names need be looked at. Flat memory and no allocation after the first; a folder with a longer path, or with
/// a mount of its own in it, has no place here.
final class DirectoryCache {
    struct Entry {
        var device: UInt32 = 0
        var innerCount: UInt16 = 0
        var hostCount: UInt16 = 0
        var hash: UInt64 = 0
        /// Of the watch set, as it was; 0: nothing is here.
        var generation: UInt64 = 0
        /// A name in it is on the way to a watched one.
        var matters = false
    }
    static let longest = 480
    private static let slots = 256
    private let entries: UnsafeMutablePointer<Entry>
    private let bytes: UnsafeMutableRawPointer

    init() {
        entries = .allocate(capacity: Self.slots)
        entries.initialize(repeating: Entry(), count: Self.slots)
        bytes = .allocate(byteCount: Self.slots * Self.longest * 2, alignment: 16)
    }

    deinit {
        entries.deallocate()
        bytes.deallocate()
    }

    @inline(__always)
    private static func hash(_ path: UnsafeRawBufferPointer, _ device: UInt32) -> UInt64 {
        var hash = UInt64(device) &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(path.count)
        guard let start = path.baseAddress else { return hash }
        var at = 0
        while at &+ 8 <= path.count {
            hash = (hash ^ start.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0xff51_afd7_ed55_8ccd
            hash ^= hash >> 29
            at &+= 8
        }
        while at < path.count {
            hash = (hash ^ UInt64(start.load(fromByteOffset: at, as: UInt8.self))) &* 0x100_0000_01b3
            at &+= 1
        }
        return hash ^ hash >> 32
    }

    /// The folder's host path, valid until the next `store`, and whether names in it matter; nil where it is not known.
    @inline(__always)
    func find(device: UInt32, _ inner: UnsafeRawBufferPointer, generation: UInt64) -> (host: UnsafeRawBufferPointer, matters: Bool)? {
        let hash = Self.hash(inner, device)
        let slot = Int(truncatingIfNeeded: hash & UInt64(Self.slots - 1))
        let entry = entries[slot]
        let own = bytes + slot * Self.longest * 2
        guard entry.generation == generation, entry.hash == hash, entry.device == device, Int(entry.innerCount) == inner.count,
            inner.count == 0 || memcmp(own, inner.baseAddress!, inner.count) == 0
        else { return nil }
        return (UnsafeRawBufferPointer(start: own + Self.longest, count: Int(entry.hostCount)), entry.matters)
    }

    /// The host's path of something in a folder that is known, put together in `room`, and whether its name matters; nil where
    /// the folder is not known.
    @inline(__always)
    func path(of inner: RawSpan, device: UInt32, generation: UInt64, in room: borrowing PathRoom) -> (path: UnsafeRawBufferPointer, matters: Bool)? {
        inner.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, bytes.count <= Int(UInt16.max) else { return nil }
            var slash = bytes.count &- 1
            while slash >= 0, start.load(fromByteOffset: slash, as: UInt8.self) != 0x2f { slash &-= 1 }
            // The root itself, or no path.
            guard slash >= 0, slash &+ 1 < bytes.count,
                let found = find(device: device, UnsafeRawBufferPointer(start: start, count: slash), generation: generation)
            else { return nil }
            room.start.copyMemory(from: found.host)
            (room.start + found.host.count).copyMemory(from: start + slash, byteCount: bytes.count &- slash)
            return (UnsafeRawBufferPointer(start: room.start, count: found.host.count &+ bytes.count &- slash), found.matters)
        }
    }

    func store(device: UInt32, _ inner: UnsafeRawBufferPointer, host: UnsafeRawBufferPointer, matters: Bool, generation: UInt64) {
        guard inner.count <= Self.longest, host.count <= Self.longest else { return }
        let hash = Self.hash(inner, device)
        let slot = Int(truncatingIfNeeded: hash & UInt64(Self.slots - 1))
        let own = bytes + slot * Self.longest * 2
        own.copyMemory(from: inner)
        (own + Self.longest).copyMemory(from: host)
        entries[slot] = Entry(
            device: device, innerCount: UInt16(inner.count), hostCount: UInt16(host.count), hash: hash, generation: generation, matters: matters)
    }
}

extension UnsafeMutableRawPointer {
    @inline(__always)
    fileprivate func copyMemory(from source: UnsafeRawBufferPointer) {
        if let start = source.baseAddress { copyMemory(from: start, byteCount: source.count) }
    }
}
