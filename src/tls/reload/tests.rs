use super::*;

/// Files whose configuration is the text in them, one after the other.
#[derive(Debug)]
struct Texts(Vec<PathBuf>);

impl Source for Texts {
    type Config = String;

    fn paths(&self) -> Vec<&Path> {
        self.0.iter().map(PathBuf::as_path).collect()
    }

    fn interval(&self) -> Duration {
        Duration::ZERO
    }

    fn load(
        &self,
        contents: &Contents,
        current: Option<Current<'_, String>>,
    ) -> Result<Loaded<String>, TlsError> {
        let mut text = String::new();
        for path in &self.0 {
            let bytes = contents.bytes(path)?;
            if bytes.is_empty() {
                return Err(TlsError::NoCertificate { path: path.clone() });
            }
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        if let Some(current) = current {
            text = format!("{text} after {}", current.config);
        }
        Ok(Loaded { config: Arc::new(text), expiries: Vec::new() })
    }
}

struct Scene {
    folder: tempfile::TempDir,
    reloading: Reloading<Texts>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| std::fs::write(path, "1").unwrap());
        let reloading = Reloading::load(Texts(paths.to_vec())).unwrap();
        Self { folder, reloading }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn look(&self) -> Outcome {
        self.reloading.look(Look::Routine)
    }

    fn in_use(&self) -> String {
        self.reloading.current().to_string()
    }
}

#[test]
fn changed_files_are_taken_up_once_two_looks_find_the_same() {
    let scene = Scene::new();
    assert!(matches!(scene.look(), Outcome::Unchanged));
    scene.write("a", "2");
    assert!(matches!(scene.look(), Outcome::Unsettled));
    scene.write("b", "3");
    assert!(matches!(scene.look(), Outcome::Unsettled), "still being written");
    assert_eq!(scene.in_use(), "11");
    let Outcome::Loaded(changed) = scene.look() else { panic!("settled") };
    assert_eq!(changed, [scene.path("a"), scene.path("b")]);
    assert_eq!(scene.in_use(), "23 after 11");
    assert!(matches!(scene.look(), Outcome::Unchanged));
}

#[test]
fn who_asks_does_not_have_to_wait() {
    let scene = Scene::new();
    scene.write("b", "2");
    let Outcome::Loaded(changed) = scene.reloading.look(Look::Requested) else { panic!("at once") };
    assert_eq!(changed, [scene.path("b")]);
    assert_eq!(scene.in_use(), "12 after 11");
}

#[test]
fn files_that_do_not_load_are_told_about_once_and_again_to_who_asks() {
    let scene = Scene::new();
    std::fs::remove_file(scene.path("a")).unwrap();
    assert!(matches!(scene.look(), Outcome::Unsettled));
    assert!(matches!(scene.look(), Outcome::Failed(TlsError::Read { .. })));
    assert!(matches!(scene.look(), Outcome::Unchanged));
    assert!(matches!(scene.reloading.look(Look::Requested), Outcome::Failed(_)));
    scene.write("a", "");
    assert!(matches!(scene.look(), Outcome::Unsettled));
    assert!(matches!(scene.look(), Outcome::Failed(TlsError::NoCertificate { .. })), "another mistake");
    assert_eq!(scene.in_use(), "11");
    scene.write("a", "2");
    assert!(matches!(scene.look(), Outcome::Unsettled));
    assert!(matches!(scene.look(), Outcome::Loaded(_)));
    assert_eq!(scene.in_use(), "21 after 11");
}

#[test]
fn files_that_are_put_back_end_the_failure() {
    let scene = Scene::new();
    scene.write("a", "");
    assert!(matches!(scene.reloading.look(Look::Requested), Outcome::Failed(_)));
    scene.write("a", "1");
    assert!(matches!(scene.look(), Outcome::Restored));
    assert!(matches!(scene.look(), Outcome::Unchanged));
    assert_eq!(scene.in_use(), "11");
}

#[test]
fn a_folder_that_is_swapped_by_its_link_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    for version in ["1", "2"] {
        std::fs::create_dir(root.path().join(version)).unwrap();
        std::fs::write(root.path().join(version).join("a"), version).unwrap();
    }
    let link = root.path().join("live");
    std::os::unix::fs::symlink("1", &link).unwrap();
    let reloading = Reloading::load(Texts(vec![link.join("a")])).unwrap();
    std::os::unix::fs::symlink("2", root.path().join("next")).unwrap();
    std::fs::rename(root.path().join("next"), &link).unwrap();
    assert!(matches!(reloading.look(Look::Requested), Outcome::Loaded(_)));
    assert_eq!(*reloading.current(), "2 after 1");
}
