//! Where the gateway is and who calls: the environment, and what the command line says instead.

use crate::http::{HttpError, HttpFace};
use crate::options::GatewayOptions;
use ron_app_sdk::{Capability, RonAppSdk, SdkConfig, SdkError};
use std::io;

/// Why nothing was done: what cannot be used, and why.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A setting of the SDK's.
    #[error(transparent)]
    Sdk(#[from] SdkError),
    /// A setting that the HTTP face needs.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An option.
    #[error("{0}")]
    Option(String),
    /// The system.
    #[error("the system: {0}")]
    System(#[from] io::Error),
}

/// Where the gateway is and who calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SDK's settings.
    pub config: SdkConfig,
    /// Who calls.
    pub capability: Capability,
}

impl Settings {
    /// From the environment, where the options do not say otherwise.
    ///
    /// # Errors
    /// Where a variable, an option or the file of the capability cannot be used.
    pub fn new(options: &GatewayOptions) -> Result<Self, Unusable> {
        let mut config = SdkConfig::from_env()?;
        if let Some(gateway) = &options.gateway {
            config.gateway_addr.clone_from(gateway);
        }
        if let Some(ca) = &options.ca {
            config.tls.ca = Some(ca.clone());
        }
        if let Some(limit) = options.timeout {
            config.overall_timeout = limit;
        }
        config.validate()?;
        let capability = match &options.capability_file {
            Some(path) => Capability::from_file(path)?,
            None => Capability::from_env()?,
        };
        Ok(Self { config, capability })
    }

    /// A client of the OAP face.
    ///
    /// # Errors
    /// None in practice: the settings have been checked.
    pub async fn sdk(&self) -> Result<RonAppSdk, Unusable> {
        Ok(RonAppSdk::new(self.config.clone()).await?)
    }

    /// The HTTP face.
    ///
    /// # Errors
    /// Where a setting cannot be used there.
    pub fn http(&self) -> Result<HttpFace, Unusable> {
        Ok(HttpFace::new(&self.config)?)
    }
}
