// swift-tools-version: 6.2
import PackageDescription

/// One list for every Swift target.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),  // a dynamic box is written `any`
    .enableUpcomingFeature("InternalImportsByDefault"),  // an import leaks into an interface only where it says so
    .enableUpcomingFeature("MemberImportVisibility"),  // members come from what this file imports
    .enableExperimentalFeature("Lifetimes"),  // ~Escapable views over the mapped rings
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "hypervigil",
    products: [
        .executable(name: "hypervigil", targets: ["hypervigil"]),
        // For the nested package Benchmarks.
        .library(name: "Rings", targets: ["Rings"]),
        .library(name: "Events", targets: ["Events"]),
        .library(name: "Redaction", targets: ["Redaction"]),
        .library(name: "Filters", targets: ["Filters"]),
        .library(name: "KernelABI", targets: ["KernelABI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .target(name: "KernelABI"),
        .systemLibrary(name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev", "libelf-dev", "zlib1g-dev"])]),
        .systemLibrary(name: "CLibcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "Hashing", dependencies: ["CLibcrypto"], swiftSettings: strict),
        // No pkgConfig: it would name the shared library; the module map names the archive.
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "FilterLanguage", swiftSettings: strict),
        .target(name: "Configuration", dependencies: ["FilterLanguage", .product(name: "Yams", package: "Yams")], swiftSettings: strict),
        .target(name: "Rings", dependencies: ["KernelABI"], swiftSettings: strict),
        .target(name: "Events", dependencies: ["Rings", "KernelABI"], swiftSettings: strict),
        .target(name: "Probes", dependencies: ["CLibbpf", "KernelABI", "Rings"], swiftSettings: strict),
        .target(name: "Attribution", dependencies: ["Events", "Rings", "KernelABI", "Hashing"], swiftSettings: strict),
        .target(name: "Filters", dependencies: ["FilterLanguage", "Events", "Rings", "KernelABI"], swiftSettings: strict),
        .target(name: "Redaction", dependencies: ["CPCRE2", "Rings", "KernelABI"], swiftSettings: strict),
        .target(
            name: "Monitor",
            dependencies: ["Configuration", "Probes", "Rings", "Events", "Attribution", "FilterLanguage", "Filters", "Redaction", "KernelABI"],
            swiftSettings: strict),
        .executableTarget(
            name: "hypervigil",
            dependencies: ["Monitor", "Probes", "Configuration", "Redaction", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .testTarget(name: "KernelABITests", dependencies: ["KernelABI", "Rings"], swiftSettings: strict),
        .testTarget(name: "HashingTests", dependencies: ["Hashing"], swiftSettings: strict),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration", "FilterLanguage"], swiftSettings: strict),
        .testTarget(name: "RingsTests", dependencies: ["Rings", "KernelABI"], swiftSettings: strict),
        .testTarget(name: "EventsTests", dependencies: ["Events", "Rings", "KernelABI"], swiftSettings: strict),
        .testTarget(
            name: "hypervigilTests",
            dependencies: ["hypervigil", "Configuration", "FilterLanguage", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: strict),
        .testTarget(name: "MonitorTests", dependencies: ["Monitor", "Configuration", "Probes", "Events", "Rings", "KernelABI"], swiftSettings: strict),
        .testTarget(name: "AttributionTests", dependencies: ["Attribution", "Events", "Rings", "KernelABI", "Hashing"], swiftSettings: strict),
        .testTarget(name: "FiltersTests", dependencies: ["Filters", "FilterLanguage", "Events", "Rings", "KernelABI"], swiftSettings: strict),
        .testTarget(name: "RedactionTests", dependencies: ["Redaction", "Events", "Rings", "KernelABI"], swiftSettings: strict),
        .testTarget(name: "ProbesTests", dependencies: ["Probes", "KernelABI"], swiftSettings: strict),
        .target(name: "CActs", path: "Tests/KernelTests/CActs"),
        .executableTarget(name: "kernel-tests", dependencies: ["CActs"], path: "Tests/KernelTests/Runner", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)
