fn main() -> std::process::ExitCode {
    hikyaku::cli::main()
}
