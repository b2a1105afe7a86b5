internal import Glibc

/// Which package owns a path, of one package database: hashes of all paths, sorted, 8 bytes each. On the worker's thread.
struct PackageIndex {
    /// Hash of a path in the upper 44 bits, number of its package in the lower 20.
    private var owners: [UInt64] = []
    /// Names and versions, back to back; package n has two spans from `spans[2n]` on, each up to the next one's start.
    private var text: [UInt8] = []
    private var spans: [UInt32] = [0]
    /// Secret, so that nobody can make up a path that has another's hash.
    private let seed: UInt64

    static let mostPackages = 1 << 20

    init(seed: UInt64 = .random(in: .min ... .max)) { self.seed = seed }

    var packageCount: Int { spans.count / 2 }
    var pathCount: Int { owners.count }

    private func hash(_ path: some Sequence<UInt8>) -> UInt64 {
        var hash = seed
        for byte in path { hash = (hash ^ UInt64(byte)) &* 0x9e37_79b9_7f4a_7c15 ^ hash &>> 29 }
        return (hash ^ hash &>> 32) &* 0xd6e8_feb8_6659_fd93 & ~0xfffff
    }

    /// Its number; nil where there is no room for more.
    mutating func add(package name: some Collection<UInt8>, version: some Collection<UInt8>) -> UInt32? {
        guard packageCount < Self.mostPackages, text.count + name.count + version.count < Int(UInt32.max) else { return nil }
        text += name
        spans.append(UInt32(text.count))
        text += version
        spans.append(UInt32(text.count))
        return UInt32(packageCount - 1)
    }

    mutating func add(path: some Sequence<UInt8>, of package: UInt32) {
        // In small steps: twice as much would be a peak of its own.
        if owners.count == owners.capacity { owners.reserveCapacity(owners.count + owners.count / 4 + 1024) }
        owners.append(hash(path) | UInt64(package))
    }

    /// Call it when all are there, before `owners(of:)`.
    mutating func finish() {
        owners.sort()
    }

    /// Numbers of the packages that have this path, but for collisions of the hash.
    func owners(of path: [UInt8]) -> [UInt32] {
        let key = hash(path)
        var low = 0
        var high = owners.count
        while low < high {
            let middle = (low + high) / 2
            if owners[middle] < key { low = middle + 1 } else { high = middle }
        }
        var found: [UInt32] = []
        while low < owners.count, owners[low] & ~0xfffff == key {
            found.append(UInt32(owners[low] & 0xfffff))
            low += 1
        }
        return found
    }

    func name(_ package: UInt32) -> ArraySlice<UInt8> { text[Int(spans[2 * Int(package)])..<Int(spans[2 * Int(package) + 1])] }
    func version(_ package: UInt32) -> ArraySlice<UInt8> { text[Int(spans[2 * Int(package) + 1])..<Int(spans[2 * Int(package) + 2])] }
}

/// What the host's databases say of a path.
struct PackageOwner: Equatable, Sendable {
    var name: [UInt8]
    /// Empty: not known.
    var version: [UInt8]
}

enum Ownership: Equatable, Sendable {
    case owned(PackageOwner)
    /// The databases are known as they are now, and none has it.
    case unpackaged
    /// There is no database, or it is being changed.
    case unknown
}

/// What a file or folder was like when it was read.
struct Stamp: Equatable {
    private var words: [UInt64] = []

    /// - Parameter empty: whether a file with nothing in it is told from none.
    init(_ paths: [String], empty: Bool = true) {
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0, empty || status.st_size > 0 else {
                words.append(0)
                continue
            }
            words += [UInt64(status.st_ino), UInt64(bitPattern: Int64(status.st_size)), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)]
        }
    }
}
