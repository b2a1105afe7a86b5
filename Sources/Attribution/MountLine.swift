internal import Glibc

/// One line of /proc/PID/mountinfo (Documentation/filesystems/proc.rst, 3.5), as far as it says who answers for what lies there.
struct MountLine {
    /// s_dev of its file system: major << 20 | minor.
    let device: UInt32
    let fileSystem: FileSystemKind

    /// The mount of this id; nil where there is none, or the text is not of the format.
    init?(id: UInt64, in text: [UInt8]) {
        for line in text.split(separator: 0x0a) {
            let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard fields.count >= 9, decimal(fields[0]) == id, let dash = fields.dropFirst(6).firstIndex(of: [0x2d]), fields.count > dash + 1 else { continue }
            let device = fields[2].split(separator: 0x3a)
            guard device.count == 2, let major: UInt32 = decimal(device[0]), let minor: UInt32 = decimal(device[1]), major < 1 << 12, minor < 1 << 20 else { return nil }
            self.device = major << 20 | minor
            fileSystem = FileSystemKind(name: fields[dash + 1])
            return
        }
        return nil
    }

    /// Whether something is mounted at or above the path that might not answer.
    static func mayHang(_ path: [UInt8], in text: [UInt8]) -> Bool {
        text.split(separator: 0x0a).contains { line in
            let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
            guard fields.count >= 9, let dash = fields.dropFirst(6).firstIndex(of: [0x2d]), fields.count > dash + 1 else { return false }
            guard FileSystemKind(name: fields[dash + 1]) == .remote else { return false }
            // With an escape in it, it is taken for one above.
            return fields[4].contains(0x5c) || path.starts(with: fields[4])
        }
    }
}

/// How far what a file system says of a file may be relied upon.
enum FileSystemKind {
    case local
    /// Its inodes follow those of its layers, not always at once.
    case overlay
    /// Others answer for it, in this machine's user space or elsewhere.
    case remote

    init(name: ArraySlice<UInt8>) {
        switch String(decoding: name.prefix { $0 != 0x2e }, as: UTF8.self) {
        case "overlay": self = .overlay
        case "fuse", "fuseblk", "virtiofs", "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "afs", "coda", "lustre", "orangefs", "beegfs",
            "gpfs", "autofs", "vboxsf", "ncpfs":
            self = .remote
        default: self = .local
        }
    }

    /// - Parameter magic: statfs(2)'s f_type. linux/magic.h; those below the second line are in the file system's own sources.
    init(magic: UInt32) {
        switch magic {
        case 0x794c_7630: self = .overlay
        case 0x6573_5546, 0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b, 0x0102_1997, 0x00c3_6400, 0x5346_414f, 0x6b41_4653, 0x7375_7245, 0x0187, 0x564c,
            // lustre, orangefs, beegfs, gpfs, vboxsf
            0x0bd0_0bd0, 0x2003_0528, 0x1983_0326, 0x4750_4653, 0x786f_4256:
            self = .remote
        default: self = .local
        }
    }
}

/// All of a file of the kernel's or the system's, at most `limit` bytes; nil where it can't be read or is longer.
func contents(_ path: String, limit: Int = 64 << 20) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return contents(of: descriptor, limit: limit)
}

func contents(of descriptor: Int32, limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_size > 0, status.st_size <= limit { bytes.reserveCapacity(Int(status.st_size) + 1) }
    return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 16) { chunk in
        while true {
            let count = read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= limit else { return nil }
            if count == 0 { return bytes }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: chunk[..<count]))
        }
    }
}

/// Each line of a text, empty ones too, without making an array of them: of a large text that takes as much memory again.
func eachLine(of text: [UInt8], _ body: (ArraySlice<UInt8>) throws -> Void) rethrows {
    var from = text.startIndex
    while let end = text[from...].firstIndex(of: 0x0a) {
        try body(text[from..<end])
        from = end + 1
    }
    try body(text[from...])
}
