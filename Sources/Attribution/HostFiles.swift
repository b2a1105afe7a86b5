internal import Glibc
internal import KernelABI

/// Files of the host's below a root, which tests put elsewhere. May block; never on the consumer thread.
package struct HostFiles: Sendable {
    /// Empty: `/`.
    private let root: String
    /// What lies below belongs to a user, who may put anything there: no link is followed, no mount entered, nothing but plain files read.
    private let isStrict: Bool

    package init(root: String = "") { self.init(root, isStrict: false) }

    private init(_ root: String, isStrict: Bool) {
        self.root = root
        self.isStrict = isStrict
    }

    /// The largest file that is read at all.
    package static let most = 16 << 20

    /// The bytes of a plain file; nil where there is none, or it is larger than `limit`.
    package func read(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        let file = open(path)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= limit else { return nil }
        var bytes: [UInt8] = []
        // Files of /proc tell no size.
        var chunk = [UInt8](repeating: 0, count: status.st_size > 0 ? Int(status.st_size) + 1 : 65_536)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= limit else { return nil }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    package func exists(_ path: String) -> Bool {
        let file = open(path)
        // What may not be opened is there all the same.
        guard file >= 0 else { return errno == EACCES || errno == ENXIO }
        close(file)
        return true
    }

    /// Names in a folder, at most `limit`.
    package func names(in path: String, limit: Int = 65_536) -> [String] {
        let folder = open(path)
        guard folder >= 0 else { return [] }
        guard let stream = fdopendir(folder) else {
            close(folder)
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// A user's home, by /etc/passwd (passwd(5)); nil for users that are not in it.
    package func home(of user: UInt32) -> HostFiles? {
        guard let passwd = read("/etc/passwd", limit: 4 << 20) else { return nil }
        for line in passwd.split(separator: 0x0a) {
            let fields = line.split(separator: 0x3a, omittingEmptySubsequences: false)
            guard fields.count > 5, UInt32(String(decoding: fields[2], as: UTF8.self)) == user, fields[5].first == 0x2f else { continue }
            return HostFiles(root + String(decoding: fields[5], as: UTF8.self), isStrict: true)
        }
        return nil
    }

    private func open(_ path: String) -> Int32 {
        let folder = hv_open_path(root.isEmpty ? "/" : root)
        guard folder >= 0 else { return -1 }
        defer {
            let kept = errno
            close(folder)
            errno = kept
        }
        return hv_open_inside(folder, isStrict ? String(path.drop { $0 == "/" }) : path, isStrict ? 1 : 0)
    }
}
