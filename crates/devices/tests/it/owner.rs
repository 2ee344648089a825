use std::sync::Arc;

use portico_identity::Identity;
use portico_model::ErrorKind;
use portico_model::identity::Role;
use portico_platform::Actor;

use crate::each;

#[tokio::test]
async fn devices_go_with_their_deleted_owner() {
    each(|world| async move {
        let identity = Identity::new(world.platform.clone());
        identity.register_dependents(Arc::new(world.devices.clone()));
        let ann = world.user("ann", Role::User).await;
        let hers = world.device_of(&ann, "thermometer").await;
        let other = world.device("meter").await;
        let system = Actor::system(world.organization);
        identity.delete_user(&system, ann.user_id().unwrap()).await.unwrap();
        assert_eq!(world.devices.get(&world.manager, hers.device.id).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(world.devices.authenticate_key(&hers.api_key).await.unwrap().is_none());
        assert_eq!(*world.ended.0.lock().unwrap(), [hers.device.id]);
        assert!(world.devices.authenticate_key(&other.api_key).await.unwrap().is_some());
    })
    .await;
}
