import Rings
import Testing

@testable import Monitor

@Suite("Host paths from known folders")
struct DirectoryCacheTests {
    private let cache = DirectoryCache()

    private func store(_ inner: String, _ host: String, device: UInt32 = 1, matters: Bool = false, generation: UInt64 = 1) {
        var (inner, host) = (inner, host)
        inner.withUTF8 { inner in
            host.withUTF8 {
                cache.store(device: device, UnsafeRawBufferPointer(inner), host: UnsafeRawBufferPointer($0), matters: matters, generation: generation)
            }
        }
    }

    private func path(_ inner: String, device: UInt32 = 1, generation: UInt64 = 1) -> (path: String, matters: Bool)? {
        let room = PathRoom()
        return cache.path(of: Array(inner.utf8).span.bytes, device: device, generation: generation, in: room).map {
            (String(decoding: $0.path, as: UTF8.self), $0.matters)
        }
    }

    @Test func folders() {
        store("/a/b", "/srv/a/b")
        store("", "/boot", matters: true)
        store("/root", "")
        #expect(path("/a/b/c")?.path == "/srv/a/b/c")
        #expect(path("/a/b/c")?.matters == false)
        #expect(path("/x").map { $0 == ("/boot/x", true) } == true)
        #expect(path("/root/y")?.path == "/y")
        for unknown in ["", "/", "x", "/a/b", "/a/b/", "/a/b/c/d", "/a/bc/d"] where unknown != "/a/b" { #expect(path(unknown) == nil, "\(unknown)") }
        #expect(path("/a/b/c", device: 2) == nil)
        #expect(path("/a/b/c", generation: 2) == nil)
    }

    @Test func longest() {
        let folder = "/" + String(repeating: "f", count: DirectoryCache.longest - 1)
        let name = "/" + String(repeating: "n", count: Int(UInt16.max) - DirectoryCache.longest - 1)
        store(folder, folder)
        #expect(path(folder + name)?.path == folder + name)
        store(folder + "f", "/short")
        store("/short", folder + "f")
        #expect(path(folder + "f/x") == nil && path("/short/x") == nil)
    }

    /// More folders than there is room for: the later ones take the place of the earlier.
    @Test func manyFolders() {
        for number in 0..<2000 { store("/inner/\(number)", "/host/\(number)") }
        #expect(path("/inner/1999/file")?.path == "/host/1999/file")
        var known = 0
        for number in 0..<2000 {
            guard let found = path("/inner/\(number)/file") else { continue }
            known += 1
            #expect(found.path == "/host/\(number)/file")
        }
        #expect(known > 100 && known <= 256)
    }
}
