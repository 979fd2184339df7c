//! The gateway that calls are made to where they are counted.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if ron_gateway_process::serve_if_asked()? {
        Ok(())
    } else {
        Err("it serves whoever starts it as ron_gateway_process::GatewayProcess".into())
    }
}
