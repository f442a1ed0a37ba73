//! `linux.resources`.

use libcgroups::{
    BlockIo, Cpu, Cpuset, HugepageLimit, Memory, Network, Rdma, Resources, ThrottleDevice,
    WeightDevice,
};
use oci_spec::runtime::{
    Linux, LinuxBlockIo, LinuxCpu, LinuxHugepageLimit, LinuxMemory, LinuxNetwork, LinuxResources,
    LinuxThrottleDevice,
};

use super::check::{at, in_order, no_nul, warning};
use super::device_rules;
use crate::error::{Error, Result};

/// The limits of a container and its device rules.
pub(super) fn resources(linux: Option<&Linux>, warnings: &mut Vec<String>) -> Result<Resources> {
    let list = linux.and_then(|linux| linux.resources().as_ref());
    let mut result = match list {
        Some(list) => without_devices(list, warnings)?,
        None => Resources::default(),
    };
    let rules = list.and_then(|list| list.devices().as_ref());
    let devices = linux.and_then(|linux| linux.devices().as_ref());
    result.devices = device_rules::rules(rules, devices, warnings)?;
    Ok(result)
}

/// What `update` takes: as for a new container, but device rules only when the list has some. Then all
/// default devices are allowed, also one in whose place config.json had another.
///
/// # Errors
/// A limit that no kernel would take, a broken device rule.
pub fn limits(list: &LinuxResources, warnings: &mut Vec<String>) -> Result<Resources> {
    let mut limits = without_devices(list, warnings)?;
    let rules = list.devices().as_ref().filter(|rules| !rules.is_empty());
    if rules.is_some() {
        limits.devices = device_rules::rules(rules, None, warnings)?;
    }
    Ok(limits)
}

fn without_devices(list: &LinuxResources, warnings: &mut Vec<String>) -> Result<Resources> {
    let cpu = list.cpu().as_ref();
    Ok(Resources {
        memory: list
            .memory()
            .as_ref()
            .map(|memory| self::memory(memory, warnings))
            .unwrap_or_default(),
        cpu: cpu.map(self::cpu).unwrap_or_default(),
        cpuset: cpu.map(cpuset).transpose()?.unwrap_or_default(),
        pids_limit: list.pids().as_ref().map(|pids| pids.limit()),
        block_io: list.block_io().as_ref().map(block_io).transpose()?.unwrap_or_default(),
        hugepage_limits: hugepages(list.hugepage_limits().as_deref().unwrap_or_default())?,
        network: list.network().as_ref().map(network).transpose()?.unwrap_or_default(),
        rdma: rdma(list)?,
        devices: Vec::new(),
        unified: unified(list)?,
    })
}

fn memory(memory: &LinuxMemory, warnings: &mut Vec<String>) -> Memory {
    // Obsolete in the kernel since 5.4; engines' old settings must not stop a container.
    #[allow(deprecated)]
    let kernel = [("kernel", memory.kernel()), ("kernelTCP", memory.kernel_tcp())];
    for (field, _) in kernel.iter().filter(|(_, given)| given.is_some()) {
        let pointer = format!("/linux/resources/memory/{field}");
        warnings.push(warning(&pointer, "kernel memory settings are ignored"));
    }
    Memory {
        limit: memory.limit(),
        reservation: memory.reservation(),
        swap: memory.swap(),
        swappiness: memory.swappiness(),
        disable_oom_killer: memory.disable_oom_killer(),
        use_hierarchy: memory.use_hierarchy(),
        check_before_update: memory.check_before_update().unwrap_or(false),
    }
}

fn cpu(cpu: &LinuxCpu) -> Cpu {
    Cpu {
        shares: cpu.shares(),
        quota: cpu.quota(),
        burst: cpu.burst(),
        period: cpu.period(),
        realtime_runtime: cpu.realtime_runtime(),
        realtime_period: cpu.realtime_period(),
        idle: cpu.idle(),
    }
}

fn cpuset(cpu: &LinuxCpu) -> Result<Cpuset> {
    Ok(Cpuset {
        cpus: cpu_list("cpus", cpu.cpus().as_deref())?,
        mems: cpu_list("mems", cpu.mems().as_deref())?,
    })
}

fn cpu_list(field: &str, list: Option<&str>) -> Result<Option<String>> {
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        return Ok(None);
    };
    if !list.bytes().all(|b| b.is_ascii_digit() || b",-: /\n".contains(&b)) {
        let text = format!("{list:?} is not a list such as \"0-3,7\"");
        return Err(Error::config(format!("/linux/resources/cpu/{field}"), text));
    }
    Ok(Some(list.to_owned()))
}

fn block_io(list: &LinuxBlockIo) -> Result<BlockIo> {
    let devices = list.weight_device().iter().flatten().enumerate();
    let weight_devices = devices.map(|(index, device)| {
        if device.weight().is_none() && device.leaf_weight().is_none() {
            let pointer = format!("/linux/resources/blockIO/weightDevice/{index}");
            return Err(Error::config(pointer, "give weight or leafWeight"));
        }
        Ok(WeightDevice {
            major: device.major(),
            minor: device.minor(),
            weight: device.weight(),
            leaf_weight: device.leaf_weight(),
        })
    });
    Ok(BlockIo {
        weight: list.weight(),
        leaf_weight: list.leaf_weight(),
        weight_devices: weight_devices.collect::<Result<_>>()?,
        read_bps: throttle(list.throttle_read_bps_device()),
        write_bps: throttle(list.throttle_write_bps_device()),
        read_iops: throttle(list.throttle_read_iops_device()),
        write_iops: throttle(list.throttle_write_iops_device()),
    })
}

fn throttle(list: &Option<Vec<LinuxThrottleDevice>>) -> Vec<ThrottleDevice> {
    let devices = list.iter().flatten();
    devices.map(|d| ThrottleDevice { major: d.major(), minor: d.minor(), rate: d.rate() }).collect()
}

fn hugepages(list: &[LinuxHugepageLimit]) -> Result<Vec<HugepageLimit>> {
    let limits = list.iter().enumerate().map(|(index, entry)| {
        let fail = |field: &str, text: String| {
            Error::config(format!("/linux/resources/hugepageLimits/{index}/{field}"), text)
        };
        let size = entry.page_size();
        if !is_page_size(size) {
            return Err(fail(
                "pageSize",
                format!("{size:?} is not a page size such as \"2MB\" or \"64KB\""),
            ));
        }
        let limit = u64::try_from(entry.limit());
        let limit = limit.map_err(|_| fail("limit", "must not be negative".into()))?;
        Ok(HugepageLimit { page_size: size.clone(), limit })
    });
    limits.collect()
}

/// A number without leading zeros, and KB, MB or GB: it becomes a part of a file name.
fn is_page_size(size: &str) -> bool {
    let number = ["KB", "MB", "GB"].iter().find_map(|unit| size.strip_suffix(unit));
    number.is_some_and(|n| {
        !n.is_empty() && !n.starts_with('0') && n.bytes().all(|b| b.is_ascii_digit())
    })
}

fn network(network: &LinuxNetwork) -> Result<Network> {
    let mut priorities = Vec::new();
    for (index, entry) in network.priorities().iter().flatten().enumerate() {
        let name = entry.name();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '/' || c == '\0') {
            let pointer = format!("/linux/resources/network/priorities/{index}/name");
            return Err(Error::config(
                pointer,
                format!("{name:?} is not the name of an interface"),
            ));
        }
        priorities.push((name.clone(), entry.priority()));
    }
    Ok(Network { class_id: network.class_id(), priorities })
}

fn rdma(list: &LinuxResources) -> Result<std::collections::BTreeMap<String, Rdma>> {
    let entries = list.rdma().iter().flat_map(in_order).map(|(device, limit)| {
        let fail = |text: &str| Error::config(at("/linux/resources/rdma", device), text);
        if limit.hca_handles().is_none() && limit.hca_objects().is_none() {
            return Err(fail("give hcaHandles or hcaObjects"));
        }
        if device.is_empty() || device.contains(|c: char| c.is_whitespace() || c == '\0') {
            return Err(fail("not the name of an RDMA device"));
        }
        let limit = Rdma { hca_handles: limit.hca_handles(), hca_objects: limit.hca_objects() };
        Ok((device.clone(), limit))
    });
    entries.collect()
}

fn unified(list: &LinuxResources) -> Result<std::collections::BTreeMap<String, String>> {
    let entries = list.unified().iter().flat_map(in_order).map(|(file, value)| {
        let pointer = || at("/linux/resources/unified", file);
        no_nul(file, pointer)?;
        if file.contains('/') {
            let text = format!("unified resource {file:?} must be a file name (no slashes)");
            return Err(Error::config(pointer(), text));
        }
        if !file.contains('.') || file.starts_with('.') {
            let text =
                format!("unified resource {file:?} must be in the form CONTROLLER.PARAMETER");
            return Err(Error::config(pointer(), text));
        }
        Ok((file.clone(), value.clone()))
    });
    entries.collect()
}
