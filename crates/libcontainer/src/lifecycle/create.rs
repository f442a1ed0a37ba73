//! `create`, and what `run` has in common with it.

use std::path::Path;

use libcgroups::{Cgroup, Layout, MountViews, Properties};

use super::cgroup_error;
use super::delete::{has_cgroup, run_poststop};
use super::host::{
    facts, listen_fds, pass_listen_fds, protect_descriptors, without_absent_cgroups,
    without_absent_label, without_absent_modules, without_absent_settings,
};
use super::notify;
use super::options::{CgroupManager, CreateOptions, Runtime, check_id};
use crate::error::{Error, Result};
use crate::init::InitOptions;
use crate::launch::{
    Launch, Launched, check_sysctls, foreign_namespaces, send_pidfd, write_pid_file,
};
use crate::notes::Notes;
use crate::plan::{self, Namespace, Plan};
use crate::rdt::Group;
use crate::spec;
use crate::state::{FORMAT, InitProcess, State, StateDir, device_digest};

/// Creates a container: all is set up, and its process waits for [`super::start()`].
///
/// # Errors
/// What is wrong with the bundle or could not be done; nothing is left behind then.
pub fn create(runtime: &Runtime, options: &CreateOptions) -> Result<()> {
    let creation = Creation::begin(runtime, options, Terminal::Elsewhere)?;
    let creation = creation.launch(true)?;
    creation.finish()
}

/// Where a terminal's master side stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    /// With this command, in the foreground.
    Here,
    /// With whoever listens at the console socket.
    Elsewhere,
}

/// A container on its way.
pub(super) struct Creation<'a> {
    options: &'a CreateOptions,
    preserve_fds: u32,
    pub(super) plan: Plan,
    pub(super) dir: StateDir,
    pub(super) state: State,
    layout: Option<Layout>,
    unit_properties: Properties,
    /// Whether the groups of resctrl in the state are the container's by now.
    has_rdt: bool,
    pub(super) launched: Option<Launched>,
}

impl<'a> Creation<'a> {
    /// Reads the bundle and writes down what will be made, before any of it is.
    pub(super) fn begin(
        runtime: &Runtime,
        options: &'a CreateOptions,
        terminal: Terminal,
    ) -> Result<Self> {
        check_id(&options.id)?;
        let dir = StateDir::new(&runtime.root, &options.id);
        dir.check_free()?;
        let listen_fds = listen_fds();
        let preserve_fds = options.preserve_fds.saturating_add(listen_fds);
        protect_descriptors(preserve_fds)?;
        let bundle = options
            .bundle
            .canonicalize()
            .map_err(|error| Error::io("open bundle", &options.bundle, &error))?;
        let mut plan = settled_plan(runtime, options, &bundle)?;
        plan.rootfs.path = plan
            .rootfs
            .path
            .canonicalize()
            .map_err(|error| Error::io("open rootfs", &plan.rootfs.path, &error))?;
        check_terminal(&plan, options, terminal)?;
        check_sysctls(&plan.sysctl, &plan.namespaces, None)?;
        // One in use may be that of a container which got this id just now.
        let (cgroup, layout) = cgroup(runtime, &plan, &options.id)
            .map_err(|error| dir.check_free().err().unwrap_or(error))?;
        let unit_properties = unit_properties(&plan, cgroup.as_ref())?;
        let state = state(&plan, &options.id, cgroup)?;
        dir.create(&state)?;
        pass_listen_fds(&mut plan, listen_fds);
        let creation = Self {
            options,
            preserve_fds,
            plan,
            dir,
            state,
            layout,
            unit_properties,
            has_rdt: false,
            launched: None,
        };
        creation.or_undo(|creation| notify::prepare(&creation.dir, &mut creation.plan))
    }

    /// Makes the cgroup and the first process.
    pub(super) fn launch(self, wait_for_start: bool) -> Result<Self> {
        self.or_undo(|creation| {
            if let Some(Err(error)) = creation.state.cgroup.as_mut().map(Cgroup::create) {
                // What it made it has taken away; the rest is not ours to remove.
                creation.state.cgroup = None;
                return Err(cgroup_error(error));
            }
            if let (Some(group), Some(rdt)) = (&mut creation.state.rdt, &creation.plan.intel_rdt) {
                group.make(rdt)?;
                creation.has_rdt = true;
            }
            // Only now it is known which hierarchies have a directory of the container's.
            let views = match (&creation.state.cgroup, &creation.layout) {
                (Some(cgroup), Some(layout)) => cgroup.mount_views(layout),
                _ => MountViews { v1: vec![], v2: None, symlinks: vec![] },
            };
            let options = InitOptions {
                wait_first: false,
                no_pivot: creation.options.no_pivot,
                new_keyring: !creation.options.no_new_keyring,
                preserve_fds: creation.preserve_fds,
            };
            let launch = Launch {
                plan: &creation.plan,
                dir: &creation.dir,
                cgroup_views: views,
                unit_properties: &creation.unit_properties,
                options,
                console_socket: creation.options.console_socket.as_deref(),
                wait_for_start,
            };
            creation.launched = Some(launch.run(&mut creation.state)?);
            Ok(())
        })
    }

    /// Hands the process over: state, pid file, pidfd, and the word to go.
    pub(super) fn hand_over(self) -> Result<Self> {
        self.or_undo(|creation| {
            let Some(launched) = &creation.launched else { return Ok(()) };
            creation.state.creator = None;
            creation.dir.save(&creation.state)?;
            let receivers = [&creation.options.pidfd_socket, &creation.plan.pidfd_receiver];
            for path in receivers.into_iter().flatten() {
                send_pidfd(path, &launched.pidfd, "standard")?;
            }
            if let Some(path) = &creation.options.pid_file {
                write_pid_file(path, launched.pid)?;
            }
            launched.release()
        })
    }

    fn finish(self) -> Result<()> {
        self.hand_over().map(drop)
    }

    /// Runs one part; when it fails, all that was made so far is taken away.
    pub(super) fn or_undo(mut self, part: impl FnOnce(&mut Self) -> Result<()>) -> Result<Self> {
        match part(&mut self) {
            Ok(()) => Ok(self),
            Err(error) => {
                self.undo();
                Err(error)
            }
        }
    }

    /// Takes away process, cgroup and state.
    fn undo(&mut self) {
        if let Some(launched) = &mut self.launched {
            launched.kill();
        }
        let _ = self.state.rdt.as_ref().filter(|_| self.has_rdt).map(Group::remove);
        // What is left then is found by `delete --force`, for the state stays too.
        let has_cgroup = has_cgroup(&self.state);
        if let Some(cgroup) = self.state.cgroup.as_mut().filter(|_| has_cgroup)
            && cgroup.undo().is_err()
        {
            return;
        }
        let _ = self.dir.remove();
        if self.state.init.is_some() {
            // runtime.md: after a failed hook the lifecycle goes on where containers are deleted.
            run_poststop(&self.state);
        }
    }
}

/// The plan of the bundle's config.json, without what this host does not have; what is passed over is told or, with
/// `--strict`, refused.
fn settled_plan(runtime: &Runtime, options: &CreateOptions, bundle: &Path) -> Result<Plan> {
    let default_config = bundle.join("config.json");
    let path = options.config.as_deref().unwrap_or(&default_config);
    let mut notes = Notes::new(runtime.strict);
    let spec = spec::load_with(path, &mut notes)?;
    let mut plan = notes.before(plan::plan(&spec, &facts(bundle)?))?;
    notes.add(std::mem::take(&mut plan.warnings));
    if let Some(process) = &mut plan.process {
        without_absent_modules(process, "/process", &mut notes);
    }
    without_absent_label(&mut plan.mount_label, &mut notes);
    without_absent_cgroups(&plan, runtime.cgroup_manager, &mut notes);
    if runtime.cgroup_manager != CgroupManager::Disabled {
        without_absent_settings(&plan.resources, "/linux/resources", &mut notes);
    }
    notes.settle()?;
    Ok(plan)
}

fn check_terminal(plan: &Plan, options: &CreateOptions, terminal: Terminal) -> Result<()> {
    let wanted = plan.process.as_ref().is_some_and(|process| process.terminal);
    check_console(wanted, options.console_socket.is_some(), terminal)
}

/// A terminal needs somebody to talk to, and a console socket a terminal.
pub(super) fn check_console(wanted: bool, socket: bool, terminal: Terminal) -> Result<()> {
    let message = match (terminal, wanted, socket) {
        (Terminal::Elsewhere, true, false) => {
            "cannot allocate tty if the runtime will detach without setting console socket"
        }
        (Terminal::Elsewhere, false, true) | (Terminal::Here, _, true) => {
            "cannot use console socket if the runtime will not detach or allocate tty"
        }
        _ => return Ok(()),
    };
    Err(Error::message(message))
}

fn cgroup(runtime: &Runtime, plan: &Plan, id: &str) -> Result<(Option<Cgroup>, Option<Layout>)> {
    if runtime.cgroup_manager == CgroupManager::Disabled {
        return Ok((None, None));
    }
    let layout = Layout::detect().map_err(cgroup_error)?;
    let path = plan.cgroups_path.as_deref();
    let cgroup = match runtime.cgroup_manager {
        CgroupManager::Systemd => Cgroup::for_unit(&layout, path, id, runtime.has_user_systemd()),
        _ => Cgroup::resolve(&layout, path, id).map(|c| c.rootless(runtime.is_rootless())),
    };
    let cgroup = cgroup.map_err(|error| match error {
        libcgroups::Error::Systemd(text) => Error::message(text),
        error => Error::config("/linux/cgroupsPath", error.to_string()),
    })?;
    let below = plan.sub_cgroups.unit.as_deref().unwrap_or_default();
    let cgroup = cgroup.below_unit(below).map_err(cgroup_error)?;
    let cgroup = if plan.systemd_v1 {
        cgroup.with_systemds_hierarchy(&layout).map_err(|error| {
            let name = "/annotations/run.oci.systemd.force_cgroup_v1";
            Error::config(name, error.to_string())
        })?
    } else {
        cgroup
    };
    cgroup.check_vacant().map_err(cgroup_error)?;
    Ok((Some(cgroup), Some(layout)))
}

/// What annotations say of the container's unit; without one they are just annotations.
fn unit_properties(plan: &Plan, cgroup: Option<&Cgroup>) -> Result<Properties> {
    if cgroup.and_then(Cgroup::unit).is_none() {
        return Ok(Properties::default());
    }
    Properties::from_annotations(&plan.annotations).map_err(|(key, error)| {
        Error::config(plan::pointer("/annotations", &key), error.to_string())
    })
}

fn state(plan: &Plan, id: &str, cgroup: Option<Cgroup>) -> Result<State> {
    let me = std::process::id().cast_signed();
    let creator =
        InitProcess::of(me).map_err(|errno| Error::os("read", "/proc/self/stat", errno))?;
    Ok(State {
        format: FORMAT,
        id: id.to_owned(),
        oci_version: plan.oci_version.clone(),
        bundle: plan.bundle.clone(),
        rootfs: plan.rootfs.path.clone(),
        created: crate::clock::now(),
        owner: nix::unistd::getuid().as_raw(),
        annotations: plan.annotations.clone(),
        creator: Some(creator),
        init: None,
        cgroup,
        rdt: plan.intel_rdt.as_ref().map(|rdt| Group::resolve(rdt, id)).transpose()?,
        devices: Some(device_digest(&plan.resources.devices)),
        memory: (plan.resources.memory.limit, plan.resources.memory.swap),
        namespaces: foreign_namespaces(&plan.namespaces),
        slow_start: !plan.hooks.start_container.is_empty(),
        has_process: plan.process.is_some(),
        own_mounts: plan.namespaces.mount == Namespace::New,
        poststart: plan.hooks.poststart.clone(),
        poststop: plan.hooks.poststop.clone(),
    })
}
